import * as v from 'valibot';
import { open } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { bundleBody, levelsBody, linesAnswer, linesQuery } from './logs.ts';

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
  route({
    method: 'GET',
    path: '/node/logs',
    right: 'host',
    in: 'Logs',
    does: 'The newest lines of the log of this very machine, as `/logs` of the one that coordinates.',
    query: linesQuery,
    answer: linesAnswer,
    run: () => Promise.reject(new Error('the front answers this')),
  }),
  route({
    method: 'POST',
    path: '/node/log-levels',
    right: 'host',
    in: 'Logs',
    does: 'How much of the log is written out on this very machine, for some minutes.',
    body: levelsBody,
    answer: linesAnswer.entries.levels,
    run: () => Promise.reject(new Error('the front answers this')),
  }),
  route({
    method: 'POST',
    path: '/node/support-bundle',
    right: 'host',
    in: 'Logs',
    does: 'Makes a support bundle of this very machine; where it holds the database, with what is in the books.',
    body: bundleBody,
    answer: { media: 'application/gzip', says: 'The bundle.' },
    run: () => Promise.reject(new Error('the front answers this')),
  }),
];
