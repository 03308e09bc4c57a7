import type { ClusterSettings } from '../config/schema.ts';
import type { Reason } from '../core/reasons.ts';
import type { PlacedFile } from '../core/source-paths.ts';
import type { Attempt } from '../db/attempts.ts';
import { openAttempts } from '../db/attempts.ts';
import type { Database } from '../db/connect.ts';
import type { NewSourceMessage } from '../db/source-messages.ts';
import { messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { SecretKey } from '../sealed.ts';
import { createMessenger, type Messenger } from './messenger.ts';
import { createSenders } from '../notices/senders.ts';
import { createNoticeWatcher } from './notice-watcher.ts';
import { createNotifier, type Notifier } from './notifier.ts';
import { createSecrets, type Secrets } from './secrets.ts';
import { createLinks, type Links, type Outward } from './source-links.ts';
import { tidingsOf, type FileChange } from './source-tidings.ts';
import { createSourceUse } from './source-use.ts';
import { createSources, type Sources, type SourcesParts } from './sources.ts';

/**
 * Everything of a term that speaks with programs outside of the cluster, put together: it begins and ends with the term.
 * Without it (in tests of other rooms) nobody is asked and nobody is told.
 */
export interface Outside {
  links: Links;
  sources: Sources;
  messenger: Messenger;
  notifier: Notifier;
  secrets: Secrets;
  /** null: the file may be exchanged now */
  whyNotNow(file: PlacedFile): Promise<Reason | null>;
  tidings(change: FileChange): Promise<NewSourceMessage[]>;
  start(): void;
  stop(): Promise<void>;
}

export interface OutsideParts {
  db: Database;
  self: string;
  /** names this cluster to servers that want to know their clients */
  clientId: string;
  outward: Outward;
  secretKey: SecretKey;
  settings: () => ClusterSettings;
  events: Events;
  scanner: SourcesParts['scanner'];
  /** asks the keeper (again) for what an attempt waits for */
  continue: (attempt: Attempt) => Promise<void>;
  onStale: () => void;
  signal: AbortSignal;
  log: Log;
}

/** Not every server says by itself that somebody stopped watching. */
const ASK_EVERY_MS = 20_000;

export function createOutside(parts: OutsideParts): Outside {
  const { db, events, log, signal } = parts;
  let timer: NodeJS.Timeout | undefined;
  const secrets = createSecrets({ db, self: parts.self, key: parts.secretKey });
  const links = createLinks({ db, secrets, outward: parts.outward, clientId: parts.clientId });
  const sources = createSources({
    db,
    links,
    events,
    log,
    scanner: parts.scanner,
    askWaiting: ask,
    hurryMessenger: () => messenger.hurry(),
    ...parts.outward.pace,
  });
  const messenger = createMessenger({ db, sources, events, log, onStale: parts.onStale, ...parts.outward.pace });
  const senders = createSenders({ outgoing: parts.outward.outgoing });
  const notifier = createNotifier({ db, secrets, senders, settings: parts.settings, events, log, onStale: parts.onStale });
  const watcher = createNoticeWatcher({ db, settings: parts.settings, log, onStale: parts.onStale });
  const use = createSourceUse({ db, sources, settings: parts.settings });
  return {
    links,
    sources,
    messenger,
    notifier,
    secrets,
    whyNotNow: (file) => use.whyNot(file, signal),
    tidings: (change) => tidingsOf(db, change),
    start() {
      sources.start();
      messenger.start();
      notifier.start();
      watcher.start();
      timer = setInterval(ask, ASK_EVERY_MS);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      await Promise.allSettled([sources.stop(), messenger.stop(), notifier.stop(), watcher.stop()]);
    },
  };

  function ask(): void {
    void askWaiting().catch((error: unknown) => log.debug({ why: messageOf(error) }, 'who waits could not be asked'));
  }

  /** Films that wait until nobody plays them: somebody stopped, or a server can be asked again. */
  async function askWaiting(): Promise<void> {
    for (const attempt of await openAttempts(db))
      if (!signal.aborted && (attempt.readyAt !== null || attempt.state === 'replacing')) await parts.continue(attempt);
  }
}
