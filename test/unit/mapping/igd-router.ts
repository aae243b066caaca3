/** The HTTP side of a pretended Internet gateway: a description and a table of port mappings. */
import type { HttpRequest, HttpResult } from '../../../engine/core/mapping/contract.ts';
import { parseXml } from '../../../engine/net/mapping/xml.ts';
import { EXTERNAL, GATEWAY, LOCAL, type Reply } from './router.ts';

export interface TestService {
  type: string;
  control: string;
  status?: string;
  ip?: string;
}

interface Entry {
  client: string;
  internalPort: string;
  lease: string;
}

export const WAN_IP_1: TestService = { type: 'urn:schemas-upnp-org:service:WANIPConnection:1', control: '/ctl/ip1' };
export const WAN_IP_2: TestService = { type: 'urn:schemas-upnp-org:service:WANIPConnection:2', control: '/ctl/ip2' };
export const WAN_PPP: TestService = { type: 'urn:schemas-upnp-org:service:WANPPPConnection:1', control: '/ctl/ppp' };

export const answerTo = (text: string, location: string): string =>
  `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: ${/^ST: (.*)$/m.exec(text)?.[1]}\r\nLOCATION: ${location}\r\n\r\n`;

export class TestIgd {
  readonly entries = new Map<string, Entry>();
  services: TestService[];
  location = `http://${GATEWAY}:5000/rootDesc.xml`;
  /** An error code for a request to add, or null to grant it. */
  refuse: (asked: { externalPort: string; lease: string }) => number | null = () => null;
  readonly actions: string[] = [];

  constructor(services: TestService[] = [WAN_IP_1]) {
    this.services = services;
  }

  readonly reply: Reply = {
    search: (text) => [answerTo(text, this.location)],
    http: (request) => this.answer(request),
  };

  answer({ method, path, soap }: HttpRequest): HttpResult {
    if (method === 'GET') return xml(200, description(this.services));
    const service = this.services.find(({ control }) => control === path);
    const action = /#(\w+)"$/.exec(soap?.action ?? '')?.[1] ?? '';
    this.actions.push(action);
    if (service === undefined) return xml(404, '<html/>');
    const outcome = this.#run(
      service,
      action,
      (name) => new RegExp(`<${name}>([^<]*)<`).exec(soap?.body ?? '')?.[1] ?? '',
    );
    return typeof outcome === 'number'
      ? fault(outcome)
      : xml(200, envelope(`<u:${action}Response xmlns:u="x">${outcome}</u:${action}Response>`));
  }

  #run(service: TestService, action: string, value: (name: string) => string): string | number {
    const key = `${value('NewProtocol')} ${value('NewExternalPort')}`;
    const entry = this.entries.get(key);
    switch (action) {
      case 'GetStatusInfo':
        return `<NewConnectionStatus>${service.status ?? 'Connected'}</NewConnectionStatus>`;
      case 'GetExternalIPAddress':
        return `<NewExternalIPAddress>${service.ip ?? EXTERNAL}</NewExternalIPAddress>`;
      case 'AddPortMapping': {
        const lease = value('NewLeaseDuration');
        const code = this.refuse({ externalPort: value('NewExternalPort'), lease });
        if (code !== null) return code;
        if (entry && entry.client !== value('NewInternalClient')) return 718;
        this.entries.set(key, { client: value('NewInternalClient'), internalPort: value('NewInternalPort'), lease });
        return '';
      }
      case 'DeletePortMapping':
        return this.entries.delete(key) ? '' : 714;
      case 'GetSpecificPortMappingEntry':
        if (!entry) return 714;
        return `<NewInternalClient>${entry.client}</NewInternalClient><NewInternalPort>${entry.internalPort}</NewInternalPort>`;
      default:
        return 401;
    }
  }

  occupy(externalPort: number, client = '192.168.1.99', internalPort = externalPort): this {
    this.entries.set(`UDP ${externalPort}`, { client, internalPort: String(internalPort), lease: '0' });
    return this;
  }

  /** External port to lease of what is forwarded to us. */
  get ours(): [number, string][] {
    const own = [...this.entries].filter(([, { client }]) => client === LOCAL);
    return own.map(([key, { lease }]) => [Number(key.split(' ')[1]), lease]);
  }
}

export function description(services: readonly TestService[], extra = ''): string {
  const list = services.map(
    ({ type, control }) =>
      `<service><serviceType>${type}</serviceType><controlURL>${control}</controlURL><SCPDURL>/x.xml</SCPDURL></service>`,
  );
  return `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">${extra}<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device><deviceList><device><serviceList>${list.join('')}</serviceList></device></deviceList></device></deviceList></device></root>`;
}

export function envelope(body: string): string {
  return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`;
}

export function fault(code: number): HttpResult {
  const error = `<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode></UPnPError>`;
  return xml(500, envelope(`<s:Fault><faultcode>s:Client</faultcode><detail>${error}</detail></s:Fault>`));
}

export function xml(status: number, text: string): HttpResult {
  return { kind: 'answer', status, xml: parseXml(text) };
}
