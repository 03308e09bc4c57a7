import type { PlexSignIn, SourceKind, SourceTry } from '../../core/commands.ts';
import { sourceNames } from '../../core/source-words.ts';
import { visibleName } from '../../core/visible-name.ts';
import { plural, time } from '../format.ts';
import { secretWord } from './source-page.ts';
import { kindChoices, shownAddress, type KindChoice } from './sources.ts';

export interface AddSourcePage {
  kind: SourceKind;
  kindWord: string;
  kinds: KindChoice[];
  secretWord: string;
  /** where its key is found, in its own menus */
  where: string;
  placeholder: string;
  form: AddSourceForm;
  tried: TriedView | null;
}

export interface AddSourceForm {
  url: string;
  name: string;
  problem: string;
}

export interface TriedView {
  draft: string;
  name: string;
  said: string;
  libraries: { title: string; words: string }[];
  /** "and 12 more" */
  more: string;
}

const hints: Record<SourceKind, { where: string; placeholder: string }> = {
  plex: {
    where: 'The token is in the address that “View XML” of any film shows, behind X-Plex-Token=. Paste the token alone.',
    placeholder: 'http://192.168.1.10:32400',
  },
  jellyfin: { where: 'In Jellyfin: Dashboard, then API Keys, then “+”.', placeholder: 'http://192.168.1.10:8096' },
  emby: { where: 'In Emby: Settings, then API Keys, then New API Key.', placeholder: 'http://192.168.1.10:8096' },
  sonarr: { where: 'In Sonarr: Settings, then General, under Security.', placeholder: 'http://192.168.1.10:8989' },
  radarr: { where: 'In Radarr: Settings, then General, under Security.', placeholder: 'http://192.168.1.10:7878' },
};

export function addSourcePage(kind: SourceKind, form: AddSourceForm, tried: TriedView | null): AddSourcePage {
  return { kind, kindWord: sourceNames[kind], kinds: kindChoices(kind), secretWord: secretWord(kind), ...hints[kind], form, tried };
}

/** Who answered, before anything is kept. */
export function triedView(answer: SourceTry, name: string, kind: SourceKind): TriedView {
  const shown = answer.libraries.slice(0, 12);
  const rest = answer.libraries.length - shown.length;
  return {
    draft: answer.draft,
    name: name || answer.name || sourceNames[kind],
    said: [`${sourceNames[kind]} ${answer.version}`.trim(), answer.name ? `called “${visibleName(answer.name, 100)}”` : '']
      .filter(Boolean)
      .join(', '),
    libraries: shown.map((l) => ({
      title: visibleName(l.title, 200),
      words: [l.items === null ? '' : plural(l.items, 'item'), plural(l.folders.length, 'folder')].filter(Boolean).join(', '),
    })),
    more: rest > 0 ? `and ${rest} more` : '',
  };
}

export interface SignInPage {
  id: string;
  state: PlexSignIn['state'];
  /** opens plex.tv; null when this machine does not know it (any more) */
  plexHref: string | null;
  /** to be typed at plex.tv/link; '' when it is too long for that */
  code: string;
  /** "14:32"; '' when it is not known */
  until: string;
  account: string;
  servers: ServerChoice[];
  problem: string;
}

export interface ServerChoice {
  id: string;
  name: string;
  words: string;
  addresses: string[];
  owned: boolean;
}

/** A sign-in as it began; the page remembers it, plex.tv says the rest. */
export interface BegunSignIn {
  url: string;
  code: string;
  expiresAt: number;
}

export function signInPage(id: string, begun: BegunSignIn | null, answer: PlexSignIn, problem = ''): SignInPage {
  return {
    id,
    state: answer.state,
    plexHref: begun && webAddress(begun.url),
    code: begun && begun.code.length <= 8 ? begun.code : '',
    until: begun && Number.isFinite(begun.expiresAt) ? time(new Date(begun.expiresAt)) : '',
    account: answer.state === 'signed-in' ? answer.account : '',
    servers: answer.state === 'signed-in' ? answer.servers.map(serverChoice).sort((a, b) => Number(b.owned) - Number(a.owned)) : [],
    problem,
  };
}

function serverChoice(server: Extract<PlexSignIn, { state: 'signed-in' }>['servers'][number]): ServerChoice {
  return {
    id: server.id,
    name: visibleName(server.name, 100) || 'A server without a name',
    words: [`Plex ${server.version}`.trim(), server.owned ? 'yours' : 'shared with you'].join(', '),
    addresses: server.addresses.map(shownAddress).filter(Boolean).slice(0, 3),
    owned: server.owned,
  };
}

/** An address from outside that may become a link: http and https only. */
function webAddress(text: string): string | null {
  try {
    const at = new URL(text);
    return at.protocol === 'https:' || at.protocol === 'http:' ? at.href : null;
  } catch {
    return null;
  }
}
