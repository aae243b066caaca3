/** Ways in and out of the browser UI: an invite, a port that the router opens, a command that was killed under its page. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Member, RendezvousServer, warren } from '../lab/cli.ts';
import { Miniupnpd } from '../lab/miniupnpd.ts';
import { type Host, type Topology, startTopology } from '../lab/topology.ts';
import { until } from '../until.ts';
import { BrowserPlayer } from './browser.ts';
import { buildRenderer } from './renderer-page.ts';
import { describeBrowserLab } from './requirements.ts';
import { PORT_MAPPING, Screens } from './screens.ts';

const password = 'warm-otter-beacon-42';
/** Not a documentation range: miniupnpd takes those for reserved. */
const EXTERNAL = '81.2.69.10';

describeBrowserLab('doors of the browser UI', () => {
  let topology: Topology;
  let router: Miniupnpd;
  let bob: Member;
  let ann: BrowserPlayer;
  let screens: Screens;
  const hostOf = (site: string): Host => topology.site(site).hosts[0]!;

  beforeAll(async () => {
    buildRenderer();
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: { kernel: 'masquerade' }, external: EXTERNAL },
        { name: 'bob', nat: 'full-cone' },
      ],
    });
    const { lab } = topology;
    const { gateway } = topology.site('ann');
    if (gateway === null) throw new Error('ann has no gateway');
    router = await Miniupnpd.start(lab, gateway, { protocols: ['pcp', 'nat-pmp', 'upnp'] });
    const server = await RendezvousServer.start(lab, topology.server);
    const room = { room: 'party', password, servers: [server.url], create: true };
    bob = await Member.start(lab, hostOf('bob').namespace, { nick: 'bob', ...room });
    await bob.joined();
    ann = await BrowserPlayer.start(lab, hostOf('ann').namespace);
    screens = new Screens(ann.page);
  });
  afterAll(async () => {
    await ann?.close();
    await bob?.stop();
    await router?.stop();
    await topology?.close();
    expect(ann?.problems).toEqual([]);
  });

  it('enters a room by an invite, once it was said where it leads', async () => {
    const argv = ['invite', '--json', '--state-dir', bob.stateDir];
    const { stdout } = await warren(topology.lab, bob.namespace, argv);
    const { link } = JSON.parse(stdout) as { link: string };
    const { page } = ann;
    await screens.nick.fill('ann');
    // The clipboard is not for pages without a person, so the link is typed.
    await page.getByRole('button', { name: 'Paste invite' }).click();
    await page.getByRole('textbox', { name: 'Invite link' }).fill(link);
    await page.getByRole('button', { name: 'Open' }).click();
    const question = page.getByRole('dialog', { name: /Join .*party/ });
    await question.getByText(topology.server.ipv4).waitFor();
    expect((await ann.status()).state).toBe('off');
    await question.getByRole('button', { name: 'Join' }).click();
    await screens.inRoom('party');
    await screens.memberIs('bob', 'Direct');
    await bob.waitFor('ann', ({ peers }) => peers.some(({ nick }) => nick === 'ann'));
  });

  it('has the router open a port, and close it, by one switch', async () => {
    await screens.switchIs(PORT_MAPPING, true);
    await until('the router forwards a port', async () => (await router.forwarded()).length === 1, 30_000);
    await ann.statusIs('mapped', ({ self }) => self?.nat.portMapping.state === 'active');
    await screens.toggle(PORT_MAPPING);
    await screens.switchIs(PORT_MAPPING, false);
    await until('the router forwards nothing', async () => {
      return (await router.forwarded()).length === 0 && (await router.leases()).length === 0;
    });
    await screens.toggle(PORT_MAPPING);
    await until('the router forwards a port again', async () => (await router.forwarded()).length === 1, 30_000);
    await ann.page.getByRole('button', { name: 'My network' }).click();
    await ann.page.getByText(EXTERNAL).first().waitFor();
    await ann.page.getByRole('button', { name: 'Room' }).click();
  });

  it('says that the command was killed, and lets the same tab in at its next address', async () => {
    const { page } = ann;
    const { port } = new URL(page.url());
    await ann.stopUi('SIGKILL');
    await page.getByRole('alert').filter({ hasText: 'Lost touch with Warren' }).waitFor();
    const address = await ann.restartUi(['--port', port]);
    await page.getByRole('alert').filter({ hasText: 'This page may not open Warren' }).waitFor();
    await page.goto(address);
    // The engine died with the command; the room is remembered, its password with it.
    await page.getByRole('button', { name: /party.* as .*ann/ }).click();
    await screens.inRoom('party');
    await screens.memberIs('bob', 'Direct');
    expect(page.url()).toBe(`http://127.0.0.1:${port}/`);
  });
});
