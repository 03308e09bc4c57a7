import type { SettingsPage } from './settings.ts';

/** The way to a provider after a form of ours: a link, because browsers follow no form to another site. */
export interface OnwardView {
  href: string;
  name: string;
  back: string;
}

/** The page "Sign-in provider": the fields of its group of settings, and what only this page has. */
export interface ProviderPage extends SettingsPage {
  /** what the provider has to be told; null while the address of this page is not set */
  callback: string | null;
  signedOut: string | null;
  secret: KeptView;
  /** issuer and client are there, so that they can be tested */
  testable: boolean;
  test: TestView | null;
  trial: TrialView | null;
  help: ProviderHelp[];
}

export interface KeptView {
  since: Date | null;
  by: string;
  /** it comes from the environment of the machine that coordinates */
  fromEnvironment: boolean;
}

export interface TestView {
  good: boolean;
  lines: { ok: boolean; text: string }[];
  /** hosts that a person has to confirm */
  hosts: string[];
}

export interface TrialView {
  at: Date;
  person: string;
  groups: string[];
  says: string;
  good: boolean;
}

export interface ProviderHelp {
  name: string;
  steps: string[];
}

/** The page "Reverse proxy". */
export interface ProxyPage extends SettingsPage {
  secret: KeptView;
  secretHeader: string;
  /** the other end of this very connection, and whether it speaks for a proxy as the settings are */
  peer: string;
  address: string;
  tunnelled: boolean;
  says: string;
}

export interface SecretForm {
  secret: KeptView;
  action: string;
  label: string;
}
