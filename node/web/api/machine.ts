import * as v from 'valibot';
import { open } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';

/**
 * What the front of every machine answers by itself, also while nobody coordinates (front/machine.ts). Declared for the document;
 * no application registers it.
 */
export const machineApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/node',
    right: 'host',
    in: 'Machines',
    does: 'Where this very machine stands and what it noticed around it; also while nobody coordinates.',
    answer: v.strictObject({
      node: v.strictObject({ id: v.string(), name: v.string(), version: v.string() }),
      standing: v.pipe(v.looseObject({ state: v.string() }), v.description('its state, its cluster, who coordinates')),
      surroundings: open('what it listens on, and which machines it noticed'),
      reached: v.pipe(v.boolean(), v.description('whether requests reach a coordinator from here')),
    }),
    run: () => Promise.reject(new Error('the front answers this')),
  }),
];
