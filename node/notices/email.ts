import type { SendMailOptions } from 'nodemailer';
import type { Answer } from '../core/notice-routing.ts';
import { cut } from '../core/notice-text.ts';
import { mailAddresses, mailPort } from '../core/notice-target.ts';
import { codeOf, messageOf } from '../errors.ts';
import { unreached } from './post.ts';
import type { Letter, OpenTarget, Send, Sending } from './senders.ts';

/**
 * A letter by SMTP. The connection is made by `outgoing`, which judges the address; TLS on top of it is checked against the name
 * that was entered. Nothing is sent without TLS, unless a person ticked that it may be.
 */
export const sendMail: Send = async (target, letter, { outgoing, ca, signal }) => {
  const { host = '' } = target.fields;
  const clock = AbortSignal.any([signal, AbortSignal.timeout(TOTAL_MS)]);
  try {
    const connection = await outgoing.connect(host, mailPort(target.fields), { signal: clock });
    try {
      const answer = await deliver(target, letter, { connection, ca });
      if (signal.aborted) throw signal.reason;
      return clock.aborted && !answer.ok ? { ok: false, again: true, says: 'The mail server did not answer in time.' } : answer;
    } finally {
      connection.destroy();
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return unreached(error);
  }
};

/** Slow servers make strangers wait on purpose before they greet them. */
const TOTAL_MS = 30_000;
const STEP_MS = 10_000;

type Connection = Awaited<ReturnType<Sending['outgoing']['connect']>>;

async function deliver(
  target: OpenTarget,
  letter: Letter,
  { connection, ca }: { connection: Connection; ca: string | undefined },
): Promise<Answer> {
  const { host = '', security, plain, user } = target.fields;
  const isPlain = plain === 'on';
  const { password } = target.secrets;
  // most houses never send a letter, and start faster without it
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    connection,
    host,
    port: mailPort(target.fields),
    secure: !isPlain && security === 'tls',
    requireTLS: !isPlain,
    ignoreTLS: isPlain,
    // said aloud, because an environment variable can switch it off
    tls: { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) },
    ...(user && { auth: { user, pass: password ?? '' } }),
    name: 'codecshift.local',
    connectionTimeout: STEP_MS,
    greetingTimeout: STEP_MS,
    socketTimeout: STEP_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
    logger: false,
  });
  try {
    const { rejected } = await transport.sendMail(mailOf(target, letter));
    if (rejected.length === 0) return { ok: true, says: 'The mail server took it.' };
    return { ok: true, says: `The mail server took it, but not for ${rejected.length} of its receivers.` };
  } catch (error) {
    return inWords(error);
  } finally {
    transport.close();
  }
}

function mailOf(target: OpenTarget, { id, event, words, link, at, house }: Letter): SendMailOptions {
  const { from = '', to = '' } = target.fields;
  const lines = [...words.lines, ...(link === null ? [] : ['', link]), '', `CodecShift${house === '' ? '' : `, ${house}`}`];
  return {
    from: { name: 'CodecShift', address: from },
    to: mailAddresses(to).map((address) => ({ name: '', address })),
    subject: cut(words.title, 200),
    text: cut(lines.join('\n'), 20_000),
    date: new Date(at),
    // the same at every try: mail programs show it once
    messageId: `<${id}@codecshift.local>`,
    // nobody's absence note shall answer it (RFC 3834)
    headers: { 'Auto-Submitted': 'auto-generated', 'X-CodecShift-Event': event, 'X-CodecShift-Id': id },
  };
}

/** A server's own text is not shown: it may be another program than a mail server. Its numbers are. */
function inWords(error: unknown): Answer {
  const code = codeOf(error) ?? '';
  const { responseCode, response } = error as { responseCode?: number; response?: string };
  const numbers = /^(\d{3})(?:[ -](\d\.\d{1,3}\.\d{1,3}))?/.exec(response ?? '');
  const said = numbers ? ` (${[numbers[1], numbers[2]].filter(Boolean).join(' ')})` : '';
  const no = (says: string, again: boolean): Answer => ({ ok: false, says: `The mail server ${says}`, again });
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    const later = responseCode !== undefined && responseCode >= 400 && responseCode < 500;
    return later
      ? no(`cannot check the password now${said}.`, true)
      : no(`refused the user name or password${said}. Many providers want an app password.`, false);
  }
  if (code === 'ETLS' || isCertificate(error)) return no(`${tlsWords(error)} Nothing was sent.`, true);
  if (code === 'ETIMEDOUT') return no('did not answer in time.', true);
  if (responseCode !== undefined && responseCode >= 500)
    return no(`refused the message${said}${code === 'EENVELOPE' ? ': it does not take this sender or receiver' : ''}.`, false);
  if (responseCode !== undefined && responseCode >= 400) return no(`wants it later${said}.`, true);
  if (code === 'EPROTOCOL') return no('does not speak SMTP as it should. Is this the right port and encryption?', true);
  return no(`broke off${code ? ` (${code})` : ''}.`, true);
}

function isCertificate(error: unknown): boolean {
  return /CERT|SIGNATURE|ALTNAME|SELF_SIGNED|ISSUER/.test(codeOf(error) ?? '') || /certificate|altname/i.test(messageOf(error));
}

function tlsWords(error: unknown): string {
  const words = messageOf(error);
  if (/altnames|does not match/i.test(words)) return 'has a certificate for another name.';
  if (/self.signed|unable to (verify|get)|issuer/i.test(words)) return 'has a certificate that nobody known here vouches for.';
  if (/expired/i.test(words)) return 'has a certificate that has run out.';
  if (/wrong version|packet length|unknown protocol/i.test(words))
    return 'does not speak TLS on this port from the beginning; STARTTLS may be right.';
  return 'offers no encryption as it was asked for.';
}
