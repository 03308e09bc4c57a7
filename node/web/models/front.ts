import type { Theme, ToastView } from './shell.ts';

/** The frame around the pages that a node serves without the cluster. It needs no database. */
export interface FrontLayout {
  title: string;
  /** the h1; only heard, not seen, where the body says it larger */
  heading: string;
  body: string;
  theme: Theme;
  css: string;
  frontCssHref: string;
  js: string;
  favicon: string;
  build: string;
  live: string | null;
  refresh: boolean;
  nodeName: string;
  version: string;
  toasts: ToastView[];
  /** the machine's own page offers the way to the dashboard, all others the way to it; at the door there is only the door */
  here: 'machine' | 'waiting' | 'door';
}

/** What an open page of the dashboard shows while nobody coordinates. */
export interface AwayBanner {
  title: string;
  says: string;
}
