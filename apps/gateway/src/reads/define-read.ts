import type { z } from 'zod';
import { defineRoute, type AnyRoute, type Route, type RouteParts } from '../edge/route.js';
import type { Question } from './question.js';

type Read<Params extends z.ZodObject | undefined, Query extends z.ZodType | undefined> = Omit<
  Route<Params, Query>,
  'method' | 'handle' | 'answers' | 'headers' | 'question' | 'body'
> & {
  readonly description?: string;
  /** Of the answer with status 200. */
  readonly answer: { readonly description: string; readonly schema: z.ZodType };
  readonly ask: (asked: RouteParts<Params, Query>) => Question;
};

/** A GET whose answer is one service's, which caches may have. With ETag and If-None-Match. */
export function defineRead<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
>({ ask, answer, ...route }: Read<Params, Query>): AnyRoute {
  return defineRoute<Params, Query>({
    ...(route as Omit<Route<Params, Query, undefined>, 'method' | 'handle' | 'answers'>),
    method: 'GET',
    headers: ['If-None-Match'],
    answers: {
      200: { ...answer, headers: ['ETag'] },
      304: { description: 'Still what If-None-Match names.', headers: ['ETag'] },
    },
    question: ask,
    handle: (call, { reads }) => reads.answer(call, ask(call)),
  });
}
