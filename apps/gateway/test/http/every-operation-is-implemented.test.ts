import { expect, it } from '@jest/globals';
import { operations } from '@novacron/contracts/operations/all';
import type { Type } from '@nestjs/common';
import { AppModule } from '../../src/app.module.js';
import { operationOfHandler } from '../../src/http/operation.js';

/** The operations that the controllers of a module, and of the modules that it imports, implement. */
function implementedBy(module: Type, visited = new Set<Type>()): string[] {
  if (visited.has(module)) return [];
  visited.add(module);
  const of = (key: string) => (Reflect.getMetadata(key, module) ?? []) as Type[];
  const own = of('controllers').flatMap(({ prototype }) =>
    Object.values(Object.getOwnPropertyDescriptors(prototype as object)).flatMap(
      ({ value }) => operationOfHandler(value as () => unknown)?.id ?? [],
    ),
  );
  return [...own, ...of('imports').flatMap((imported) => implementedBy(imported, visited))];
}

it('the gateway implements every operation of the contracts once, and no other', () => {
  expect(implementedBy(AppModule).sort()).toEqual(operations.map(({ id }) => id).sort());
});
