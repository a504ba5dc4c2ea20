import { openApiDocument } from '@novacron/contracts/openapi/document';
import { API_VERSION, operations } from '@novacron/contracts/operations/all';
import { errorsMarkdown } from '../errors/error-docs.js';

/** Files that are generated from the code, by their path from the repository's root. A test compares the committed ones. */
export function generatedFiles(): Record<string, string> {
  return {
    'apps/gateway/openapi.generated.json': `${JSON.stringify(openApiDocument(operations, API_VERSION), null, 2)}\n`,
    'docs/errors.md': errorsMarkdown(),
  };
}
