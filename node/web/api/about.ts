import type { ApiRoute } from './declare.ts';
import { route } from './declare.ts';
import { open } from './answers.ts';

/** The document itself. It is made of all routes, so they are handed in when it is asked for. */
export function aboutApi(document: (version: string) => object): ApiRoute[] {
  return [
    route({
      method: 'GET',
      path: '/openapi.json',
      right: 'read',
      in: 'About',
      does: 'This document: OpenAPI 3.1, made of the same declarations as the routes.',
      answer: open('an OpenAPI document'),
      run: async ({ web }) => document(web.node.version),
    }),
  ];
}
