/** What the frame around every page shows. */
export interface ShellView {
  title: string;
  section: Section | null;
  body: string;
  theme: Theme;
  css: string;
  js: string;
  favicon: string;
  build: string;
  /** address of the page's stream; null when the page is not live */
  live: string | null;
  /** without JavaScript it reloads itself instead */
  refresh: boolean;
  /** names of other clusters in this network, or '' */
  around: string;
  nodeName: string;
  version: string;
  status: ShellStatus;
  /** who is signed in; null where nobody has to */
  me: Me | null;
  /** everybody who reaches this page may change everything, because a person decided so */
  unguarded: boolean;
  toasts: ToastView[];
  /** what the search field holds */
  search: string;
  /** this page's own address, to come back to after an action */
  here: string;
}

export interface Me {
  name: string;
  role: 'admin' | 'viewer';
}

export type Section = 'overview' | 'queue' | 'library' | 'nodes' | 'history' | 'settings';
export type Theme = 'system' | 'light' | 'dark';

/** The part of the frame that changes while a page is open. */
export interface ShellStatus {
  waiting: number;
  /** machines that want to join and wait for a click */
  asking?: number;
  /** who: "by admin", "from the dashboard", or '' when it is not known */
  paused: { who: string; at: Date } | null;
  scanning: { id: number; library: string; seen: number; inspected: number }[];
  hasLibraries: boolean;
}

export interface ToastView {
  tone: 'note' | 'error';
  text: string;
}

export interface StatusView {
  status: ShellStatus;
}
export interface NavView extends StatusView {
  section: Section | null;
}
export interface ThemeView {
  theme: Theme;
}
export interface TabsView extends ThemeView {
  section: Section | null;
}
export interface ToastPart {
  toast: ToastView;
}
export interface Empty {}
