/** HTTP towards the gateway and nobody else: one short request, one bounded answer, no redirects, no names. */
import { request as httpRequest } from 'node:http';
import type { HttpRequest, HttpResult } from '../../core/mapping/contract.ts';
import { hostText } from '../../core/mapping/ssdp.ts';
import { LARGEST_XML_BYTES, parseXml } from './xml.ts';

/** The slowest real router takes a second or two to write its table to flash. */
const TIMEOUT_MS = 5_000;
const LARGEST_HEADER_BYTES = 8 * 1024;

export interface GatewayAddresses {
  /** Address of the gateway, with its zone: the only host that is ever asked. */
  gateway: string;
  /** The address to ask from. */
  local: string;
}

/** Resolves once, whatever happens: an answer that is late, long, or none at all has failed. */
export function askGateway(
  { gateway, local }: GatewayAddresses,
  asked: HttpRequest,
  signal: AbortSignal,
): Promise<HttpResult> {
  return new Promise((resolve) => {
    const body = asked.soap?.body ?? '';
    const outgoing = httpRequest({
      host: gateway,
      localAddress: local,
      port: asked.port,
      path: asked.path,
      method: asked.method,
      headers: headersOf(asked, gateway, body),
      agent: false,
      maxHeaderSize: LARGEST_HEADER_BYTES,
      signal,
    });
    const settle = (result: HttpResult): void => {
      clearTimeout(timer);
      resolve(result);
    };
    const fail = (): void => {
      outgoing.destroy();
      settle({ kind: 'failed' });
    };
    // Of the whole exchange: an endless trickle never makes a socket idle.
    const timer = setTimeout(fail, TIMEOUT_MS);
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let length = 0;
      incoming.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > LARGEST_XML_BYTES) fail();
        else chunks.push(chunk);
      });
      incoming.on('error', fail);
      incoming.on('aborted', fail);
      incoming.on('end', () => {
        const xml = parseXml(Buffer.concat(chunks).toString('utf8'));
        settle({ kind: 'answer', status: incoming.statusCode ?? 0, xml });
      });
    });
    outgoing.end(body);
  });
}

function headersOf({ soap, port }: HttpRequest, gateway: string, body: string): Record<string, string> {
  const headers = { Host: `${hostText(gateway)}:${port}`, Connection: 'close' };
  if (soap === undefined) return headers;
  return {
    ...headers,
    'Content-Type': 'text/xml; charset="utf-8"',
    'Content-Length': String(Buffer.byteLength(body)),
    SOAPAction: soap.action,
  };
}
