/**
 * A small Internet in namespaces: a server site with two public addresses, and any number of sites behind NATs.
 *
 *     host (192.168.k.10, eth0) - br-lan, gateway namespace, wan - [ natbox: NAT, link ] - core - [ link ] - server
 *
 * natbox plays every site's NAT and link, and the core. Where a site's NAT is the kernel's, netfilter in the gateway translates and
 * natbox is a wire. A public host has its own `wan`. 198.51.100.0/24, 203.0.113.0/24 and 2001:db8::/32 play the public Internet.
 */
import { ensureNatbox } from './build.ts';
import { type KernelNatConfig, type NatKind, resolveNat, type SiteNat } from './nats.ts';
import { Lab, type Namespace } from './netns.ts';
import { type LinkConfig, type NatConfig, type NodeConfig, Router } from './router.ts';

export interface SiteSpec {
  /** Also the name of the site's node in the router. Default: the NAT's kind, with a number when it comes again. */
  readonly name?: string;
  readonly nat: NatKind | NatConfig | KernelNatConfig;
  /** Hosts behind the NAT; a public site has one. Default 1. */
  readonly hosts?: number;
  /** `firewalled`: nothing comes in over IPv6 that was not asked for. Default false: no IPv6. */
  readonly ipv6?: 'open' | 'firewalled' | false;
  /** First three numbers of the LAN. Default 192.168.k; give two sites the same to see them collide. */
  readonly lan?: string;
  /** A carrier's NAT between this site and the Internet. */
  readonly carrier?: string;
  /** The address that the site's upstream sees. Default: from a documentation range. miniupnpd refuses those. */
  readonly external?: string;
  /** On top of the topology's delay. */
  readonly link?: { readonly up?: LinkConfig; readonly down?: LinkConfig };
}

/** A carrier-grade NAT: sites that name it get their external address from 100.64.0.0/10 (RFC 6598). */
export interface CarrierSpec {
  readonly name: string;
  readonly nat: NatConfig;
}

export interface TopologySpec {
  readonly sites: readonly SiteSpec[];
  readonly carriers?: readonly CarrierSpec[];
  readonly seed?: number;
  /** One-way delays on the server's and on each site's link. Default none; the product's figures are taken with 5 and 10. */
  readonly delays?: { readonly serverMs: number; readonly clientMs: number };
}

export interface Host {
  readonly name: string;
  readonly namespace: Namespace;
  /** Address on the LAN, or the public one of a public host. */
  readonly ipv4: string;
  readonly ipv6: string | null;
}

export interface Site {
  readonly name: string;
  readonly spec: SiteSpec;
  /** Where the site's kernel forwards, and translates if its NAT is the kernel's. A public site has none. */
  readonly gateway: Namespace | null;
  /** The address that the site's upstream sees. */
  readonly external: string;
  readonly hosts: readonly Host[];
}

export interface ServerSite {
  readonly namespace: Namespace;
  readonly ipv4: string;
  readonly alternateIpv4: string;
  readonly ipv6: string;
}

export interface Topology {
  readonly lab: Lab;
  readonly router: Router;
  readonly server: ServerSite;
  readonly sites: readonly Site[];
  /** Every site's hosts in order. */
  readonly hosts: readonly Host[];
  site(name: string): Site;
  /** Removes everything. May be called twice. */
  close(): Promise<void>;
}

const serverAddresses = { ipv4: '198.51.100.10', alternateIpv4: '198.51.100.11', ipv6: '2001:db8:5::10' };
const coreAddress = '198.51.100.1';
/** As router advertisements name it. */
const linkLocalGateway = 'fe80::1';
const firstHost = 10;
const wanMtu = 1500;

/** Builds the namespaces and starts the router. On failure nothing is left behind. */
export async function startTopology(spec: TopologySpec): Promise<Topology> {
  const binary = await ensureNatbox();
  const lab = Lab.open();
  try {
    return await build(lab, binary, spec);
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** A site with its place in the address plan and its namespaces. */
interface Plan {
  readonly name: string;
  readonly spec: SiteSpec;
  readonly nat: SiteNat;
  readonly external: string;
  readonly lan: string;
  /** The site's /64 without the host part, or null. */
  readonly prefix6: string | null;
  readonly hostLabels: readonly string[];
}

async function build(lab: Lab, binary: string, spec: TopologySpec): Promise<Topology> {
  const plans = plan(spec);
  const labels = ['core', 'server', ...plans.flatMap((site) => [...gatewayLabel(site), ...site.hostLabels])];
  const created = await lab.namespaces(labels);
  const byLabel = new Map(labels.map((label, index) => [label, created[index] as Namespace]));
  const at = (label: string): Namespace => byLabel.get(label) as Namespace;

  const nodes = [
    ...(spec.carriers ?? []).map((carrier, index) => carrierNode(carrier, index)),
    serverNode(at('server'), spec),
    ...plans.map((site) => siteNode(site, at(gatewayLabel(site)[0] ?? (site.hostLabels[0] as string)), spec)),
  ];
  const router = await Router.start(lab, at('core'), binary, {
    seed: spec.seed ?? 1,
    routerAddress: coreAddress,
    nodes,
  });

  const script = [serverScript(at('server')), ...plans.map((site) => siteScript(site, at))].join('\n');
  await lab.script(script);

  const sites = plans.map((site): Site => {
    const gateway = gatewayLabel(site)[0];
    return {
      name: site.name,
      spec: site.spec,
      gateway: gateway === undefined ? null : at(gateway),
      external: site.external,
      hosts: site.hostLabels.map((label, index) => ({
        name: label,
        namespace: at(label),
        ...hostAddresses(site, index),
      })),
    };
  });
  return {
    lab,
    router,
    server: { namespace: at('server'), ...serverAddresses },
    sites,
    hosts: sites.flatMap((site) => site.hosts),
    site(name) {
      const found = sites.find((site) => site.name === name);
      if (found === undefined)
        throw new Error(`no site ${name} (there are ${sites.map((site) => site.name).join(', ')})`);
      return found;
    },
    close: () => lab.close(),
  };
}

function plan(spec: TopologySpec): Plan[] {
  const names = new Set<string>();
  return spec.sites.map((site, index) => {
    const base = site.name ?? (typeof site.nat === 'string' ? site.nat : 'site');
    let name = base;
    for (let count = 2; names.has(name); count += 1) name = `${base}-${count}`;
    names.add(name);
    const nat = resolveNat(site.nat);
    const hosts = nat.type === 'public' ? 1 : (site.hosts ?? 1);
    return {
      name,
      spec: site,
      nat,
      external: site.external ?? (site.carrier === undefined ? `203.0.113.${10 + index}` : `100.64.0.${10 + index}`),
      lan: site.lan ?? `192.168.${index + 1}`,
      prefix6: site.ipv6 ? `2001:db8:${(0x100 + index).toString(16)}` : null,
      hostLabels: Array.from({ length: hosts }, (_, host) => (hosts === 1 ? name : `${name}-h${host + 1}`)),
    };
  });
}

/** Label of a site's gateway namespace, if it has one. */
function gatewayLabel(site: Plan): string[] {
  return site.nat.type === 'public' ? [] : [`${site.name}-gw`];
}

function hostAddresses(site: Plan, index: number): { ipv4: string; ipv6: string | null } {
  return {
    ipv4: site.nat.type === 'public' ? site.external : `${site.lan}.${firstHost + index}`,
    ipv6: site.prefix6 === null ? null : `${site.prefix6}::${firstHost + index}`,
  };
}

function link(spec: TopologySpec, whose: 'serverMs' | 'clientMs', extra: LinkConfig | undefined): LinkConfig {
  return { delayMs: spec.delays?.[whose] ?? 0, ...extra };
}

function serverNode(namespace: Namespace, spec: TopologySpec): NodeConfig {
  const { ipv4, alternateIpv4, ipv6 } = serverAddresses;
  const direction = link(spec, 'serverMs', undefined);
  return {
    name: 'server',
    tun: { netns: namespace.path, name: 'wan', mtu: wanMtu },
    prefixes: [ipv4, alternateIpv4, ipv6],
    up: direction,
    down: direction,
  };
}

function carrierNode(carrier: CarrierSpec, index: number): NodeConfig {
  return { name: carrier.name, nat: { external: [`203.0.113.${200 + index}`], ...carrier.nat } };
}

function siteNode(site: Plan, outer: Namespace, spec: TopologySpec): NodeConfig {
  const prefixes = site.prefix6 === null ? [] : [`${site.prefix6}::/64`];
  const common = {
    name: site.name,
    parent: site.spec.carrier,
    tun: { netns: outer.path, name: 'wan', mtu: wanMtu },
    firewall: site.spec.ipv6 === 'firewalled' && site.nat.type !== 'kernel' ? {} : undefined,
    up: link(spec, 'clientMs', site.spec.link?.up),
    down: link(spec, 'clientMs', site.spec.link?.down),
  };
  if (site.nat.type !== 'router') return { ...common, prefixes: [site.external, ...prefixes] };
  const nat = { external: [site.external], ...site.nat.nat };
  return { ...common, prefixes, nat, udpBlocked: site.nat.udpBlocked };
}

function serverScript({ name }: Namespace): string {
  const { ipv4, alternateIpv4, ipv6 } = serverAddresses;
  return `
ip -n ${name} address add ${ipv4}/32 dev wan
ip -n ${name} address add ${alternateIpv4}/32 dev wan
ip -n ${name} -6 address add ${ipv6}/128 dev wan nodad
ip -n ${name} route add default dev wan src ${ipv4}
ip -n ${name} -6 route add default dev wan`;
}

function siteScript(site: Plan, at: (label: string) => Namespace): string {
  const gateway = gatewayLabel(site)[0];
  if (gateway === undefined) return publicScript(site, at(site.hostLabels[0] as string));
  const hosts = site.hostLabels.map((label, index) => hostScript(site, index, at(gateway).name, at(label).name));
  const nat = site.nat.type === 'kernel' ? kernelNatScript(site, site.nat.nat, at(gateway).name) : '';
  return [gatewayScript(site, at(gateway).name), ...hosts, nat].join('\n');
}

function publicScript(site: Plan, { name }: Namespace): string {
  const { ipv4, ipv6 } = hostAddresses(site, 0);
  const v6 = `ip -n ${name} -6 address add ${ipv6}/128 dev wan nodad\nip -n ${name} -6 route add default dev wan`;
  return `
ip -n ${name} address add ${ipv4}/32 dev wan
ip -n ${name} route add default dev wan
${ipv6 === null ? '' : v6}`;
}

function gatewayScript(site: Plan, name: string): string {
  const v6 = `
ip netns exec ${name} sysctl -q -w net.ipv6.conf.all.forwarding=1
ip -n ${name} -6 address add ${site.prefix6}::1/64 dev br-lan nodad
ip -n ${name} -6 address add ${linkLocalGateway}/64 dev br-lan nodad
ip -n ${name} -6 route add default dev wan`;
  return `
ip -n ${name} link add br-lan type bridge forward_delay 0
ip -n ${name} link set br-lan up
ip -n ${name} address add ${site.lan}.1/24 dev br-lan
ip -n ${name} route add default dev wan
ip netns exec ${name} sysctl -q -w net.ipv4.ip_forward=1
${site.prefix6 === null ? '' : v6}`;
}

function hostScript(site: Plan, index: number, gateway: string, name: string): string {
  const { ipv4, ipv6 } = hostAddresses(site, index);
  const port = `lan${index + 1}`;
  const v6 = `ip -n ${name} -6 address add ${ipv6}/64 dev eth0 nodad\nip -n ${name} -6 route add default via ${linkLocalGateway} dev eth0`;
  return `
ip link add ${port} netns ${gateway} type veth peer name eth0 netns ${name}
ip -n ${gateway} link set ${port} master br-lan up
ip -n ${name} link set eth0 up
ip -n ${name} address add ${ipv4}/24 dev eth0
ip -n ${name} route add default via ${site.lan}.1
${ipv6 === null ? '' : v6}`;
}

/** A home router in netfilter: masquerade out, established back in, and an INPUT chain that accepts or drops. */
function kernelNatScript(site: Plan, nat: KernelNatConfig, name: string): string {
  const inbound = site.spec.ipv6 === 'open' ? 'meta nfproto ipv6 accept' : '';
  return `
ip -n ${name} address add ${site.external}/32 dev wan
ip netns exec ${name} nft -f - <<'RULES'
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade ${nat.kernel === 'fully-random' ? 'fully-random' : ''}
  }
}
table inet filter {
  chain input {
    type filter hook input priority filter; policy ${nat.input ?? 'accept'};
    iifname { "lo", "br-lan" } accept
    ct state established,related accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "br-lan" accept
    ct state established,related accept
    ${inbound}
  }
}
RULES
ip netns exec ${name} sysctl -q -w net.netfilter.nf_conntrack_udp_timeout=${nat.udpTimeoutS ?? 30} net.netfilter.nf_conntrack_udp_timeout_stream=${nat.udpStreamTimeoutS ?? 120}`;
}
