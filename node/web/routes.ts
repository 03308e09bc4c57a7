import type { SourceKind } from '../core/commands.ts';
import type { NoticeKind } from '../core/notice-kinds.ts';
import type { Side } from '../core/pictures.ts';

/**
 * Every address of the site, made in one place. Views never join strings into an address themselves: a value from a
 * file name could turn it into `javascript:`; here everything variable is a number or is encoded.
 */
export const url = {
  overview: (): string => '/',
  queue: (query: Query = {}): string => `/queue${search(query)}`,
  job: (id: number): string => `/jobs/${int(id)}`,
  jobAction: (id: number, action: 'pause' | 'resume' | 'cancel' | 'retry' | 'top' | 'end' | 'restore' | 'accept'): string =>
    `/jobs/${int(id)}/${action}`,
  /** a frame of the original or of what an attempt made of it */
  picture: (id: number, attempt: number, number: number, side: Side): string =>
    `/jobs/${int(id)}/pictures/${int(attempt)}/${int(number)}/${side}`,
  /** the colours of a film, as a strip */
  barcode: (id: number, attempt: number): string => `/jobs/${int(id)}/barcode/${int(attempt)}`,
  library: (id?: number): string => (id === undefined ? '/library' : `/library/${int(id)}`),
  /** what it would become: space and time with ranges */
  libraryForecast: (id: number): string => `/library/${int(id)}/forecast`,
  /** every file with what would be done with it */
  libraryPlan: (id: number, query: Query = {}): string => `/library/${int(id)}/plan${search(query)}`,
  libraryPlanCsv: (id: number, query: Query = {}): string => `/library/${int(id)}/plan.csv${search(query)}`,
  libraryLocate: (id: number): string => `/library/${int(id)}/locate`,
  /** how often this library is scanned */
  libraryScanning: (id: number): string => `/library/${int(id)}/scanning`,
  /** media servers, and the programs that fetch films */
  sources: (): string => '/sources',
  addSource: (kind: SourceKind): string => `/sources/add/${kind}`,
  keepSource: (): string => '/sources/keep',
  signIn: (id?: string): string => (id === undefined ? '/sources/sign-in' : `/sources/sign-in/${encodeURIComponent(id)}`),
  /** where plex.tv sends a person back to; before the gates (hooks.ts) */
  signInDone: (): string => '/sources/signed-in',
  /** whether the person has signed in meanwhile */
  signInState: (id: string): string => `/sources/sign-in/${encodeURIComponent(id)}/state`,
  source: (id: number): string => `/sources/${int(id)}`,
  sourceAction: (id: number, action: 'refresh' | 'enable' | 'disable' | 'change' | 'watch' | 'hook' | 'remove'): string =>
    `/sources/${int(id)}/${action}`,
  sourcePaths: (id: number, query: Query = {}): string => `/sources/${int(id)}/paths${search(query)}`,
  /** names a folder that this house does not know yet */
  sourceFolder: (id: number): string => `/sources/${int(id)}/folder`,
  tellAgain: (message: number): string => `/sources/messages/${int(message)}/tell-again`,
  files: (query: Query = {}): string => `/files${search(query)}`,
  file: (id: number): string => `/files/${int(id)}`,
  nodes: (): string => '/nodes',
  node: (id: string): string => `/nodes/${encodeURIComponent(id)}`,
  nodeDetect: (id: string): string => `/nodes/${encodeURIComponent(id)}/detect`,
  nodeAction: (
    id: string,
    action: 'approve' | 'reject' | 'later' | 'pause' | 'resume' | 'drain' | 'undrain' | 'hand-over' | 'remove' | 'roots',
  ): string => `/nodes/${encodeURIComponent(id)}/${action}`,
  nodeTryAgain: (id: string, bench: number): string => `/nodes/${encodeURIComponent(id)}/benched/${int(bench)}/try-again`,
  nodeTokens: (): string => '/nodes/tokens',
  nodeTokenRevoke: (id: string): string => `/nodes/tokens/${encodeURIComponent(id)}/revoke`,
  clusterName: (): string => '/nodes/cluster',
  /** this machine's own page, also while nobody coordinates */
  thisMachine: (): string => '/node',
  history: (query: Query = {}): string => `/history${search(query)}`,
  settings: (group?: string): string => (group === undefined ? '/settings' : `/settings/${encodeURIComponent(group)}`),
  backupAction: (action: 'make' | 'cancel' | 'upload'): string => `/settings/backup/${action}`,
  backup: (name: string, action: 'download' | 'verify' | 'remove' | 'restore'): string =>
    `/settings/backup/${encodeURIComponent(name)}/${action}`,
  /** the places that are told what happens */
  notifications: (query: Query = {}): string => `/settings/notifications${search(query)}`,
  addNotification: (kind: NoticeKind): string => `/settings/notifications/add/${kind}`,
  notificationAction: (id: number, action: 'change' | 'test' | 'remove' | null): string =>
    `/settings/notifications/${int(id)}${action === null ? '' : `/${action}`}`,
  noticeAgain: (delivery: number): string => `/settings/notifications/log/${int(delivery)}/again`,
  /** leftovers and trash of every root */
  cleanup: (): string => '/settings/clean-up',
  cleanupLook: (): string => '/settings/clean-up/look',
  cleanupTrash: (root?: string): string => `/settings/clean-up/trash${search({ root })}`,
  cleanupFound: (root: string, after?: number): string =>
    `/settings/clean-up/found${search({ root, after: after === undefined ? null : String(after) })}`,
  cleanupPutBack: (): string => '/settings/clean-up/put-back',
  cleanupList: (id: number, query: Query = {}): string => `/settings/clean-up/${int(id)}${search(query)}`,
  cleanupAction: (id: number, action: 'choose' | 'delete' | 'cancel'): string => `/settings/clean-up/${int(id)}/${action}`,
  events: (view: string, query: Query = {}): string => `/events${search({ view, ...query })}`,
  pauseAll: (): string => '/pause',
  resumeAll: (): string => '/resume',
  scan: (): string => '/scan',
  addLibrary: (): string => '/library',
  theme: (): string => '/theme',
  setup: (): string => '/setup',
  setupAction: (action: 'token' | 'none'): string => `/setup/${action}`,
  signInPage: (back = '/', way: 'password' | null = null): string => `/sign-in${search({ back: back === '/' ? null : back, with: way })}`,
  /** a front asks who a visitor is */
  whoAsks: (): string => '/auth/check',
  signOut: (): string => '/sign-out',
  /** one's own password and sessions */
  providerSignIn: (back = '/'): string => `/sign-in/oidc${search({ back: back === '/' ? null : back })}`,
  providerProve: (back = '/'): string => `/prove/oidc${search({ back: back === '/' ? null : back })}`,
  providerSetup: (): string => '/setup/oidc',
  providerSettings: (action: 'secret' | 'test' | 'trial'): string => `/settings/provider/${action}`,
  proxySettings: (action: 'secret'): string => `/settings/proxy/${action}`,
  account: (): string => '/account',
  accountAction: (action: 'link' | 'unlink' | 'password' | 'sessions/end' | 'sessions/end-others'): string => `/account/${action}`,
  /** "enter your password again" */
  prove: (back = '/'): string => `/prove${search({ back: back === '/' ? null : back })}`,
  people: (): string => '/people',
  person: (id: number): string => `/people/${int(id)}`,
  personAction: (id: number, action: 'role' | 'disable' | 'enable' | 'reset' | 'remove' | 'end-sessions'): string =>
    `/people/${int(id)}/${action}`,
  apiTokens: (): string => '/api-tokens',
  apiTokenRevoke: (id: string): string => `/api-tokens/${encodeURIComponent(id)}/revoke`,
  /** what programs can ask for, for a person to read */
  api: (): string => '/api',
  audit: (query: Query = {}): string => `/audit${search(query)}`,
  logs: (query: Query = {}): string => `/logs${search(query)}`,
  logLevels: (): string => '/logs/levels',
  supportBundle: (): string => '/logs/support-bundle',
  /** the machine that the browser talks to; served by its front, also while nobody coordinates */
  machine: (): string => '/node',
  machineEvents: (view: 'waiting' | 'node'): string => `/node/events${search({ view })}`,
  machineAction: (action: 'ask' | 'own' | 'peers'): string => `/node/${action}`,
  machineToken: (): string => '/node/token',
  machineLogs: (query: Query = {}): string => `/node/logs${search(query)}`,
  machineLeave: (cluster: string | null): string => `/node/leave${search({ cluster })}`,
} as const;

export type Query = Record<string, string | number | boolean | null | undefined>;

function search(query: Query): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') params.set(key, String(value));
  }
  return params.size > 0 ? `?${params}` : '';
}

function int(id: number): number {
  if (!Number.isSafeInteger(id) || id < 0) throw new Error(`not an id: ${id}`);
  return id;
}

/** Where a form may send a person back to: a path of this site, never another one. */
export function safeBack(wanted: unknown, otherwise: string): string {
  if (typeof wanted !== 'string' || !wanted.startsWith('/') || wanted.startsWith('//') || wanted.includes('\\')) return otherwise;
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f]/.test(wanted) ? otherwise : wanted;
}

/** An id from an address, or null when it is none. */
export function idFrom(text: string | undefined): number | null {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}
