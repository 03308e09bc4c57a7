import { PlainError } from '../errors.ts';

/**
 * The first file of a form that was sent as multipart/form-data (RFC 7578), as it comes: what the platform has for forms
 * holds all of it in memory. Fields before it are passed over.
 * @throws PlainError when there is no file, or the form ends in its middle
 */
export async function* firstFile(body: AsyncIterable<Uint8Array>, contentType: string): AsyncGenerator<Buffer> {
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))/i.exec(contentType);
  if (!/^multipart\/form-data\b/i.test(contentType) || !boundary)
    throw new PlainError('The form was sent in a way that cannot hold a file.');
  const line = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  const pieces = body[Symbol.asyncIterator]();
  // the first boundary has no line end before it
  let held: Buffer = Buffer.from('\r\n');
  const more = async (): Promise<void> => {
    const { done, value } = await pieces.next();
    if (done) throw new PlainError('The file did not come to its end. Send it again.');
    held = Buffer.concat([held, value]);
  };

  for (;;) {
    const head = await nextHead();
    const isFile = /^content-disposition:[^\r\n]*\bfilename\*?=/im.test(head);
    if (isFile && /filename=""/i.test(head)) throw new PlainError('No file was chosen.');
    for await (const piece of part()) if (isFile) yield piece;
    if (isFile) return;
  }

  /** The headers of the next part. */
  async function nextHead(): Promise<string> {
    while (held.length < line.length + 2) await more();
    held = held.subarray(line.length);
    if (held.subarray(0, 2).toString() === '--') throw new PlainError('No file was chosen.');
    for (let end = held.indexOf('\r\n\r\n'); ; end = held.indexOf('\r\n\r\n')) {
      if (end >= 0) {
        const head = held.subarray(0, end).toString('latin1');
        held = held.subarray(end + 4);
        return head;
      }
      if (held.length > 16_384) throw new PlainError('The form could not be read.');
      await more();
    }
  }

  /** What is in it, up to the next boundary, which stays. */
  async function* part(): AsyncGenerator<Buffer> {
    for (;;) {
      const end = held.indexOf(line);
      if (end >= 0) {
        if (end > 0) yield held.subarray(0, end);
        held = held.subarray(end);
        return;
      }
      // the last bytes may be the beginning of a boundary
      const sure = held.length - line.length;
      if (sure > 0) {
        yield held.subarray(0, sure);
        held = held.subarray(sure);
      }
      await more();
    }
  }
}
