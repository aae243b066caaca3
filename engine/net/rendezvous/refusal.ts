/** A server that refuses the WebSocket says why in the body of its HTTP response. */
import type { IncomingMessage } from 'node:http';
import { type ServerMessage, serverMessage } from '../../../protocol/server.ts';

export type Refusal = Extract<ServerMessage, { t: 'error' }>;

const MAX_BODY_BYTES = 1_024;

/** Null where the body is no `error` message: a proxy's page, for instance. Ends the response in every case. */
export async function readRefusal(response: IncomingMessage): Promise<Refusal | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_BODY_BYTES) return null;
    }
    const parsed = serverMessage.safeParse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    return parsed.success && parsed.data.t === 'error' ? parsed.data : null;
  } catch {
    return null;
  } finally {
    response.destroy();
  }
}
