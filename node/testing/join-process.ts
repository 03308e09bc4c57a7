import { joinOrFound } from '../mesh/join.ts';
import { makeCluster, makeNodeKey, silentLog, startLobby } from './lobbies.ts';

/**
 * A fresh machine as a process of its own, found by multicast only, with the data directory it is given. Prints one word and the cluster's id when it belongs to
 * one: `founded` or `joined`. Its cluster approves whoever shows a code.
 */
const id = await makeNodeKey();
const lobby = await startLobby({ id, discovery: 'lan' });
const joining = joinOrFound({
  dataDir: process.argv[2]!,
  self: { id: id.node, name: 'fresh', version: '1', platform: 'linux', hardware: {} },
  lobby,
  mode: 'auto',
  token: null,
  peers: [],
  wanted: null,
  onCode: (code) => process.stdout.write(`code ${code}\n`),
  signal: new AbortController().signal,
  log: silentLog,
});
const outcome = await joining.outcome;
if ('joined' in outcome) process.stdout.write(`joined ${outcome.joined.cluster.id}\n`);
else {
  const cluster = makeCluster('New', { established: false });
  const before = lobby.parts.self;
  lobby.parts.self = () => ({ ...before(), cluster: cluster.facts, lookingMs: null });
  lobby.parts.onJoin = async (asked) => {
    const answer = await cluster.onJoin(asked);
    if (cluster.codes.has(asked.node)) cluster.approve(asked.node);
    return answer;
  };
  process.stdout.write(`founded ${cluster.key.cluster}\n`);
}
