import type { OutgoingHttpHeaders } from 'node:http';
import type { Visitor } from '../security.ts';
import { deadline } from './deadline.ts';
import { visitorHeaders } from './proxy.ts';
import type { Way } from './reach.ts';

const ANSWER_MS = 5000;
const MOST = 1000;

/**
 * A short question of the front itself to the application of the coordinator, in this process or through the tunnel. Null: it
 * cannot be reached, or did not answer in time.
 */
export async function askCoordinator(
  way: Way,
  path: string,
  headers: Record<string, string>,
  visitor: Visitor,
): Promise<{ status: number; text: string } | null> {
  if (way.kind === 'nowhere') return null;
  if (way.kind === 'tunnel') return remote(way, path, { ...headers, ...visitorHeaders(visitor) }).catch(() => null);
  let timer: NodeJS.Timeout | undefined;
  // a database that stands still must not keep a person from the page that says so
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), ANSWER_MS)));
  return Promise.race([local(way, path, headers, visitor), late]).finally(() => clearTimeout(timer));
}

async function local(
  { app }: Extract<Way, { kind: 'local' }>,
  path: string,
  headers: Record<string, string>,
  visitor: Visitor,
): Promise<{ status: number; text: string }> {
  const answer = await app(new Request(`http://${headers['host'] ?? 'localhost'}${path}`, { headers }), { visitor });
  return { status: answer.status, text: (await answer.text()).slice(0, MOST) };
}

function remote(
  { open }: Extract<Way, { kind: 'tunnel' }>,
  path: string,
  headers: OutgoingHttpHeaders,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = open({ method: 'GET', path, headers });
    deadline(request, ANSWER_MS);
    request.on('error', reject);
    request.once('response', (answer) => {
      let text = '';
      answer
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text.length < MOST ? (text += chunk) : request.destroy(new Error('too long'))));
      answer.once('error', reject);
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    request.end();
  });
}
