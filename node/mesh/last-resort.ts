import type { Log } from '../log.ts';

/**
 * What the libraries of the network throw where nobody can catch it (their listeners run inside events, and Node throws
 * again what a listener throws) must not end a machine that encodes and keeps films: anybody on the network could try to
 * provoke it. Known places are mended where they are (muxer.ts, network.ts `on`); this is for the unknown one. Any other
 * error that nobody caught still ends the program, because then nobody knows what state it is in.
 */
export function surviveTheNetwork(log: Log): () => void {
  const caught = (error: unknown): void => {
    if (!isOfTheNetwork(error)) {
      log.fatal({ err: error }, 'an error that nobody expected; this program ends');
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    }
    log.error({ err: error }, 'a network library failed where nobody could catch it; this machine goes on');
  };
  process.on('uncaughtException', caught);
  return () => void process.off('uncaughtException', caught);
}

const libraries = /[/\\]node_modules[/\\](@libp2p|libp2p|@chainsafe|multicast-dns|@multiformats)[/\\]/;

/** Every line of its stack lies in one of the libraries, or in Node itself. */
export function isOfTheNetwork(error: unknown): boolean {
  const frames = String((error as { stack?: unknown } | null)?.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  const outside = frames.filter((line) => !/node:|<anonymous>|\[nodejs\./.test(line));
  return outside.length > 0 && outside.every((line) => libraries.test(line));
}
