import { Eta } from 'eta';
import { programFile } from '../program.ts';
import * as format from './format.ts';
import * as charts from './charts.ts';
import { url } from './routes.ts';

export interface Views {
  /** HTML of `views/<name>.eta`. A value from outside is escaped wherever it is printed with `<%= %>`. */
  render(name: string, model: object): string;
}

export interface ViewOptions {
  /** throw when a view prints undefined or null; otherwise it prints nothing */
  strict: boolean;
  /** address of the icon sprite */
  icons: string;
  /** stands for the form token; the page puts the visitor's own in its place (page.ts) */
  csrf: string;
}

export const viewsDirectory = programFile('views');

/** What every view may use beside its model; `scripts/views.ts` declares the same names for the type check. */
export function helpers(options: Pick<ViewOptions, 'icons' | 'csrf'>) {
  return {
    url,
    format,
    charts,
    csrf: options.csrf,
    icon: (name: string, size: '' | 'xs' | 'lg' = ''): string => {
      if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new Error(`not an icon: ${name}`);
      return `<svg class="i${size && ` ${size}`}" aria-hidden="true"><use href="${options.icons}#${name}"/></svg>`;
    },
  };
}

export type Helpers = ReturnType<typeof helpers>;

/** Compiled on first use and kept. Names are relative to views/: `overview/index`; includes say `/overview/_running`. */
export function createViews(options: ViewOptions): Views {
  const eta = new Eta({
    views: viewsDirectory,
    cache: true,
    autoTrim: [false, 'nl'],
    escapeFunction: options.strict ? escapeStrictly : escape,
    functionHeader: 'const { url, format, charts, csrf, icon } = this.helpers;',
  });
  Object.assign(eta, { helpers: helpers(options) });
  return { render: (name, model) => eta.render(`/${name}`, model) };
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escapes for text and quoted attributes. */
export function escape(value: unknown): string {
  if (value === undefined || value === null) return '';
  return String(value).replace(/[&<>"']/g, (c) => entities[c]!);
}

function escapeStrictly(value: unknown): string {
  if (value === undefined || value === null) throw new Error(`a view printed ${value}`);
  return escape(value);
}
