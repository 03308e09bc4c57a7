import type { ClientRequest } from 'node:http';

/**
 * Ends a request that is not over in time. Node's own `setTimeout` of a request counts only once its socket is connected: where
 * the network swallows the first packet, it is waited for as long as the system likes, two minutes on Linux.
 */
export function deadline(request: ClientRequest, ms: number): ClientRequest {
  const timer = setTimeout(() => request.destroy(new Error('no answer in time')), ms).unref();
  return request.once('close', () => clearTimeout(timer));
}
