import type { StreamMuxerFactory } from '@libp2p/interface';
import { yamux, type YamuxMuxerInit } from '@libp2p/yamux';

type Yamux = ReturnType<ReturnType<typeof yamux>>;
type Muxer = ReturnType<Yamux['createStreamMuxer']>;

/**
 * yamux that survives its own farewell. When a frame makes no sense (a cut line, a hostile peer) it ends the connection
 * and first says so to the other side (@libp2p/yamux 8: `abort` → `sendGoAway` → `send`). Where our side of that line is
 * closed already, saying so throws, inside an event listener, which libp2p throws again where nobody can catch it: the
 * whole program would end. Found by scripts/chaos.ts.
 */
export function steadyYamux(init: YamuxMuxerInit): () => StreamMuxerFactory {
  const make = yamux(init);
  return () => {
    const factory = make();
    const create = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (line) => steady(create(line));
    return factory;
  };
}

function steady(muxer: Muxer): Muxer {
  // private in the types; there is no other place where only the farewell passes
  const inner = muxer as unknown as { sendGoAway(reason?: number): void };
  const say = inner.sendGoAway.bind(muxer);
  inner.sendGoAway = (reason) => {
    try {
      say(reason);
    } catch {
      // the line is closed: nobody is left to be told
    }
  };
  return muxer;
}
