import type { ReactNode } from 'react';
import type { NatReport } from '../../../protocol/nat.ts';
import { type Text, useText } from '../../i18n/text.tsx';
import { CopyValue } from '../../ui/copy.tsx';

/** Unknown is said as such, never as no. */
const yesNo = (t: Text, value: boolean | null): string =>
  value === null ? t('common.unknown') : t(value ? 'common.yes' : 'common.no');

const PROTOCOLS = { upnp: 'UPnP', 'nat-pmp': 'NAT-PMP', pcp: 'PCP' } as const;

export function NatFacts({ nat }: { nat: NatReport }): ReactNode {
  const t = useText();
  const several = nat.publicAddresses.length > 1;
  return (
    <dl className="divide-y divide-line rounded-2xl border border-line bg-surface px-4 shadow-card sm:px-5">
      <Fact name={several ? t('network.addresses') : t('network.address')}>
        {nat.publicAddresses.length === 0
          ? t('common.unknown')
          : nat.publicAddresses.map((address) => <CopyValue key={address} value={address} whole />)}
      </Fact>
      <Fact
        name={t('network.mappingState')}
        help={nat.portMapping.doubleNat === true ? t('network.doubleNat') : undefined}
      >
        <PortMapping mapping={nat.portMapping} />
      </Fact>
      <Fact name={t('network.ipv6')}>{nat.ipv6 ? t('network.ipv6Yes') : t('network.ipv6No')}</Fact>
      {nat.nat64 === true && (
        <Fact name={t('network.nat64')} help={t('network.nat64Help')}>
          {t('common.yes')}
        </Fact>
      )}
      {nat.portMapping.pinhole && (
        <Fact name={t('network.pinhole')} help={t('network.pinholeHelp')}>
          <Pinhole pinhole={nat.portMapping.pinhole} />
        </Fact>
      )}
      <Fact name={t('network.cgnat')}>{yesNo(t, nat.cgnat)}</Fact>
      <Fact name={t('network.lifetime')} help={t('network.lifetimeHelp')}>
        {nat.lifetimeSeconds == null
          ? t('common.unknown')
          : t('network.lifetimeValue', { seconds: nat.lifetimeSeconds })}
      </Fact>
      <Fact name={t('network.hairpin')} help={t('network.hairpinHelp')}>
        {yesNo(t, nat.hairpin)}
      </Fact>
    </dl>
  );
}

function Fact({ name, help, children }: { name: string; help?: string | undefined; children: ReactNode }): ReactNode {
  return (
    <div className="flex flex-wrap items-baseline justify-between gap-x-4 py-2.5">
      <dt className="text-soft">{name}</dt>
      <dd className="ms-auto flex max-w-full flex-col items-end text-end font-medium">{children}</dd>
      {help && <dd className="w-full text-[12.5px] text-soft">{help}</dd>}
    </div>
  );
}

function PortMapping({ mapping }: { mapping: NatReport['portMapping'] }): ReactNode {
  const t = useText();
  const protocol = mapping.protocol && PROTOCOLS[mapping.protocol];
  const inner = mapping.state === 'active' && mapping.doubleNat === true;
  return (
    <>
      <span className={inner ? 'text-relayed' : mapping.state === 'active' ? 'text-direct' : ''}>
        {[t(`network.mappingStates.${inner ? 'inner' : mapping.state}`), protocol].filter(Boolean).join(' · ')}
      </span>
      {mapping.state === 'active' && mapping.external !== undefined && <CopyValue value={mapping.external} whole />}
    </>
  );
}

function Pinhole({ pinhole }: { pinhole: NonNullable<NatReport['portMapping']['pinhole']> }): ReactNode {
  const t = useText();
  const protocol = pinhole.protocol && PROTOCOLS[pinhole.protocol];
  return (
    <span className={pinhole.state === 'active' ? 'text-direct' : ''}>
      {[t(`network.pinholeStates.${pinhole.state}`), protocol].filter(Boolean).join(' · ')}
    </span>
  );
}
