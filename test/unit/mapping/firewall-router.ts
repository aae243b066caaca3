/** The HTTP side of a pretended IPv6 router: WANIPv6FirewallControl:1 and its table of pinholes. */
import type { HttpRequest, HttpResult } from '../../../engine/core/mapping/contract.ts';
import { answerTo, description, envelope, fault, type TestService, WAN_IP_2, xml } from './igd-router.ts';
import { LOCAL_6, type Reply } from './router.ts';

const FIREWALL: TestService = { type: 'urn:schemas-upnp-org:service:WANIPv6FirewallControl:1', control: '/ctl/fw' };

export class TestFirewall {
  /** UniqueID to what was asked. */
  readonly pinholes = new Map<string, { client: string; port: string; protocol: string; lease: string }>();
  readonly actions: string[] = [];
  status = { enabled: '1', allowed: '1' };
  location = 'http://[fe80::1]:5000/rootDesc.xml';
  /** An error code for an action, or null to do it. */
  refuse: (action: string) => number | null = () => null;
  nextId = 7;

  readonly reply: Reply = {
    search: (text) => [answerTo(text, this.location)],
    http: (request) => this.answer(request),
  };

  answer({ method, path, soap }: HttpRequest): HttpResult {
    if (method === 'GET') return xml(200, description([WAN_IP_2, FIREWALL]));
    if (path !== FIREWALL.control) return xml(404, '<html/>');
    const action = /#(\w+)"$/.exec(soap?.action ?? '')?.[1] ?? '';
    this.actions.push(action);
    const value = (name: string) => new RegExp(`<${name}>([^<]*)<`).exec(soap?.body ?? '')?.[1] ?? '';
    const outcome = this.refuse(action) ?? this.#run(action, value);
    return typeof outcome === 'number'
      ? fault(outcome)
      : xml(200, envelope(`<u:${action}Response xmlns:u="x">${outcome}</u:${action}Response>`));
  }

  #run(action: string, value: (name: string) => string): string | number {
    const id = value('UniqueID');
    const known = this.pinholes.get(id);
    switch (action) {
      case 'GetFirewallStatus': {
        const { enabled, allowed } = this.status;
        return `<FirewallEnabled>${enabled}</FirewallEnabled><InboundPinholeAllowed>${allowed}</InboundPinholeAllowed>`;
      }
      case 'AddPinhole': {
        const pinhole = {
          client: value('InternalClient'),
          port: value('InternalPort'),
          protocol: value('Protocol'),
          lease: value('LeaseTime'),
        };
        if (pinhole.client !== LOCAL_6 || value('RemoteHost') !== '' || value('RemotePort') !== '0') return 606;
        const added = String(this.nextId++);
        this.pinholes.set(added, pinhole);
        return `<UniqueID>${added}</UniqueID>`;
      }
      case 'UpdatePinhole':
        if (!known) return 704;
        known.lease = value('NewLeaseTime');
        return '';
      case 'DeletePinhole':
        return this.pinholes.delete(id) ? '' : 704;
      case 'GetPinholePackets':
        return known ? '<PinholePackets>0</PinholePackets>' : 704;
      default:
        return 401;
    }
  }
}
