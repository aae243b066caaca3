/** The desktop app with two friends: in by an invite, relay to direct, and a port that a real router opens and closes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Member, RendezvousServer, warren } from '../lab/cli.ts';
import { Miniupnpd } from '../lab/miniupnpd.ts';
import type { Namespace } from '../lab/netns.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import { until } from '../until.ts';
import { DesktopApp } from './electron.ts';
import { describeElectron } from './electron-runtime.ts';
import { PORT_MAPPING, Screens } from './screens.ts';
import { VirtualScreen } from './xvfb.ts';

const PASSWORD = 'warm-otter-beacon-42';
/** Not a documentation range: miniupnpd takes those for reserved. */
const EXTERNAL = '81.2.69.10';
const ROUTER_TIMEOUT_MS = 30_000;

describeElectron('the window behind a router that opens ports', () => {
  let topology: Topology;
  let router: Miniupnpd;
  let screen: VirtualScreen;
  let app: DesktopApp;
  const friends: Member[] = [];
  const namespace = (site: string): Namespace => topology.site(site).hosts[0]!.namespace;

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'desk', nat: { kernel: 'masquerade' }, external: EXTERNAL },
        { name: 'bob', nat: 'full-cone' },
        { name: 'cleo', nat: 'symmetric-random' },
      ],
    });
    const { gateway } = topology.site('desk');
    if (gateway === null) throw new Error('the desk has no gateway');
    router = await Miniupnpd.start(topology.lab, gateway, { protocols: ['pcp', 'nat-pmp', 'upnp'] });
    const server = await RendezvousServer.start(topology.lab, topology.server);
    for (const nick of ['bob', 'cleo']) {
      const room = { room: 'party', password: PASSWORD, servers: [server.url], create: nick === 'bob' };
      const friend = await Member.start(topology.lab, namespace(nick), { nick, ...room });
      friends.push(friend);
      await friend.joined();
    }
    screen = await VirtualScreen.start();
    app = await DesktopApp.start({ namespace: namespace('desk'), display: screen.display });
  });

  afterAll(async () => {
    await app?.stop();
    await screen?.stop();
    await Promise.all(friends.map((friend) => friend.stop()));
    await router?.stop();
    await topology?.close();
  });

  it('joins by an invite, and both friends become direct, whatever their routers', async () => {
    const [bob] = friends as [Member, Member];
    const argv = ['invite', '--json', '--state-dir', bob.stateDir];
    const { link } = JSON.parse((await warren(topology.lab, bob.namespace, argv)).stdout) as { link: string };
    const page = await app.page();
    const screens = new Screens(page);
    await screens.nick.fill('desk');
    await page.getByRole('textbox', { name: 'Invite link' }).fill(link);
    await page.getByRole('button', { name: 'Open' }).click();
    await page
      .getByRole('dialog', { name: /Join .*party/ })
      .getByRole('button', { name: 'Join' })
      .click();
    await screens.inRoom('party');
    await screens.memberIs('bob', 'Direct');
    await screens.memberIs('cleo', 'Direct');
    const cleo = await app.peer('cleo');
    expect(cleo?.timeline.map(({ kind }) => kind)).toEqual(['relay', 'direct']);
  });

  it('has the router open a port, and close it, by one switch', async () => {
    const screens = new Screens(await app.page());
    await screens.switchIs(PORT_MAPPING, true);
    await until('the router forwards a port', async () => (await router.forwarded()).length === 1, ROUTER_TIMEOUT_MS);
    await screens.toggle(PORT_MAPPING);
    await screens.switchIs(PORT_MAPPING, false);
    await until('the router forwards nothing', async () => (await router.forwarded()).length === 0, ROUTER_TIMEOUT_MS);
    await screens.toggle(PORT_MAPPING);
    await until(
      'the router forwards a port again',
      async () => (await router.forwarded()).length === 1,
      ROUTER_TIMEOUT_MS,
    );
    await app.stop();
    expect(await router.forwarded()).toEqual([]);
  });
});
