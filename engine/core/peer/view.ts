/** A path as people see it. */
import type { PeerPath } from '../../../protocol/app.ts';
import type { Endpoint } from './contract.ts';
import type { PathRecord } from './path.ts';

/** `since` is in the core's clock. */
export function pathView(record: PathRecord, relayHost: string, since: number): PeerPath {
  const { via, kind, srttMs, rttvarMs, lossPct } = record;
  const mtu = via === 'external' ? null : record.mtu.mtu;
  const remote = via === 'external' ? relayHost : endpointText(via.remote);
  return { kind, remote, rttMs: srttMs, jitterMs: rttvarMs, lossPct, mtu, since };
}

function endpointText({ ip, port }: Endpoint): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
