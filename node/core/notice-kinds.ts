/**
 * The kinds of places that can be told something, once: what each wants to know, with words and an example. The form, its checks, the
 * API and the documentation follow from it.
 *
 * `secret`: sealed, never shown again. `binds`: says where a message goes or as whom; when it changes, secrets have to be entered
 * again, so that none is ever sent to another server than the one it was entered for.
 */
export type NoticeKind = 'webhook' | 'discord' | 'ntfy' | 'apprise' | 'email';
export const noticeKindNames: readonly NoticeKind[] = ['discord', 'ntfy', 'email', 'apprise', 'webhook'];

export interface NoticeField {
  label: string;
  help: string;
  example: string;
  type: 'text' | 'address' | 'number' | 'choice' | 'tick';
  choices?: readonly { value: string; label: string }[];
  required: boolean;
  secret: boolean;
  binds: boolean;
}

interface NoticeKindEntry {
  label: string;
  /** how to come by what the form asks for */
  help: string;
  fields: Record<string, NoticeField>;
}

const plain = { type: 'text', required: true, secret: false, binds: false } as const;

export const noticeKinds: Record<NoticeKind, NoticeKindEntry> = {
  discord: {
    label: 'Discord',
    help: 'In Discord: the channel’s settings (the wheel beside its name) › Integrations › Webhooks › New Webhook › Copy Webhook URL. Whoever has this address can write into the channel.',
    fields: {
      url: {
        ...plain,
        type: 'address',
        label: 'Webhook URL',
        help: 'The whole address, as Discord copies it.',
        example: 'https://discord.com/api/webhooks/123456789/abc…',
        secret: true,
        binds: true,
      },
    },
  },
  ntfy: {
    label: 'ntfy',
    help: 'Choose a topic, subscribe to it in the ntfy app, and enter it here. On a public server everybody who knows the topic can read it: choose a long one that nobody guesses.',
    fields: {
      server: {
        ...plain,
        type: 'address',
        label: 'Server',
        help: 'ntfy.sh, or a server of your own.',
        example: 'https://ntfy.sh',
        binds: true,
      },
      topic: { ...plain, label: 'Topic', help: 'Letters, digits, _ and -.', example: 'codecshift-4f9a1c77' },
      token: {
        ...plain,
        label: 'Access token',
        help: 'Only for a server where topics are protected: in the ntfy app or web page, Account › Access tokens.',
        example: 'tk_…',
        required: false,
        secret: true,
      },
    },
  },
  email: {
    label: 'E-mail',
    help: 'The outgoing (SMTP) server of your mail provider. Gmail: smtp.gmail.com, with an app password (Google account › Security › App passwords). iCloud: smtp.mail.me.com, with an app-specific password. Outlook.com takes no password from programs any more; use another provider.',
    fields: {
      host: { ...plain, label: 'Server', help: 'Its name, without https://.', example: 'smtp.gmail.com', binds: true },
      security: {
        ...plain,
        type: 'choice',
        label: 'Encryption',
        help: 'Nothing is sent when the server does not encrypt.',
        example: 'starttls',
        choices: [
          { value: 'starttls', label: 'STARTTLS, port 587' },
          { value: 'tls', label: 'TLS from the beginning, port 465' },
        ],
        binds: true,
      },
      port: {
        ...plain,
        type: 'number',
        label: 'Port',
        help: 'Only when it is another one.',
        example: '587',
        required: false,
        binds: true,
      },
      plain: {
        ...plain,
        type: 'tick',
        label: 'Send without encryption',
        help: 'For a mail server in this house that knows none. The password and every message can be read on the way.',
        example: 'off',
        required: false,
        binds: true,
      },
      user: {
        ...plain,
        label: 'User name',
        help: 'Mostly the whole address. Empty: the server wants none.',
        example: 'me@example.org',
        required: false,
        binds: true,
      },
      password: {
        ...plain,
        label: 'Password',
        help: 'An app password where the provider has such.',
        example: 'abcd efgh ijkl mnop',
        required: false,
        secret: true,
      },
      from: { ...plain, label: 'From', help: 'An address that the server lets you send from.', example: 'me@example.org' },
      to: { ...plain, label: 'To', help: 'Up to ten, separated by commas.', example: 'me@example.org' },
    },
  },
  apprise: {
    label: 'Apprise',
    help: 'Apprise passes messages on to Telegram, Gotify, Pushover, Matrix and a hundred others. Run apprise-api, put the services into a configuration, and enter the key of that configuration here.',
    fields: {
      server: {
        ...plain,
        type: 'address',
        label: 'Server',
        help: 'Where apprise-api runs.',
        example: 'http://192.168.1.5:8000',
        binds: true,
      },
      key: {
        ...plain,
        label: 'Configuration key',
        help: 'The part behind /cfg/ in the address of its page.',
        example: 'apprise',
        secret: true,
      },
      tag: {
        ...plain,
        label: 'Tag',
        help: 'Only services with this tag. Empty: all of the configuration.',
        example: 'films',
        required: false,
      },
    },
  },
  webhook: {
    label: 'Webhook',
    help: 'Any program that takes a POST with JSON, for example Home Assistant (a webhook trigger), n8n or a script of your own.',
    fields: {
      url: {
        ...plain,
        type: 'address',
        label: 'Address',
        help: 'The whole address. It is kept like a password, because many have one in it.',
        example: 'http://homeassistant.local:8123/api/webhook/codecshift-4f9a1c77',
        secret: true,
        binds: true,
      },
      signingKey: {
        ...plain,
        label: 'Signing key',
        help: 'At least 16 characters that the receiver knows too: each message is signed with it, so that nobody else can send one. Empty: not signed.',
        example: 'a long random text',
        required: false,
        secret: true,
      },
    },
  },
};

export function isNoticeKind(kind: unknown): kind is NoticeKind {
  return typeof kind === 'string' && Object.hasOwn(noticeKinds, kind);
}

/** The names of a kind's secrets. */
export function secretFields(kind: NoticeKind): string[] {
  return Object.entries(noticeKinds[kind].fields).flatMap(([name, field]) => (field.secret ? [name] : []));
}
