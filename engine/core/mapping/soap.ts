/** SOAP 1.1 as UPnP uses it (UPnP Device Architecture 2.0, 3.1 to 3.3). Never throws. */
import type { HttpResult, XmlNode } from './contract.ts';
import { textOf } from './igd.ts';

/** UPnP error codes that are acted on (WANIPConnection:1, 2.4.16; :2, 2.5.16; WANIPv6FirewallControl:1, 2.5). */
export const UPNP_ERROR = {
  invalidArgs: 402,
  actionFailed: 501,
  notAuthorized: 606,
  pinholeSpaceExhausted: 701,
  firewallDisabled: 702,
  inboundPinholeNotAllowed: 703,
  noSuchPinhole: 704,
  noSuchEntry: 714,
  conflictInMappingEntry: 718,
  samePortValuesRequired: 724,
  onlyPermanentLeases: 725,
  noPortMapsAvailable: 728,
  conflictWithOtherMechanisms: 729,
} as const;

/** Values are numbers, addresses and our own words: nothing that would need escaping. */
export function encodeSoap(type: string, action: string, values: readonly (readonly [string, string | number])[]) {
  const body = values.map(([name, value]) => `<${name}>${value}</${name}>`).join('');
  return {
    action: `"${type}#${action}"`,
    body:
      '<?xml version="1.0"?>\r\n' +
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">' +
      `<s:Body><u:${action} xmlns:u="${type}">${body}</u:${action}></s:Body></s:Envelope>\r\n`,
  };
}

export type SoapAnswer =
  /** `value` is empty for one that is missing. */
  | { kind: 'ok'; value: (name: string) => string }
  | { kind: 'fault'; code: number }
  | { kind: 'malformed' }
  | { kind: 'failed' };

export function readSoap(action: string, result: HttpResult): SoapAnswer {
  if (result.kind === 'failed') return { kind: 'failed' };
  const body = child(result.xml, 'Body');
  const answer = child(body, `${action}Response`);
  if (result.status === 200 && answer !== null) return { kind: 'ok', value: (name) => textOf(answer, name) };
  const error = child(child(child(body, 'Fault'), 'detail'), 'UPnPError');
  const code = error === null ? '' : textOf(error, 'errorCode');
  return /^\d{3}$/.test(code) ? { kind: 'fault', code: Number(code) } : { kind: 'malformed' };
}

function child(node: XmlNode | null, name: string): XmlNode | null {
  return node?.children.find((one) => one.name === name) ?? null;
}
