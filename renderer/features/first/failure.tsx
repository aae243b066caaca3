import type { ReactNode } from 'react';
import type { ErrorCode } from '../../../protocol/errors.ts';
import type { SavedRoom } from '../../../protocol/face.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { isolated } from '../../store/plain.ts';
import { Banner } from '../../ui/banner.tsx';
import { Button } from '../../ui/button.tsx';
import { CopyValue } from '../../ui/copy.tsx';

const KNOWN = {
  usage: true,
  'wrong-password': true,
  'no-server': true,
  'no-rights': true,
  'already-running': true,
  'not-running': true,
  'name-taken': true,
  'port-taken': true,
  'room-full': true,
  invalid: true,
  'not-joined': true,
  'no-such-member': true,
  unreachable: true,
  'hard-nat-off': true,
  busy: true,
  timeout: true,
  disk: true,
  unsupported: true,
  internal: true,
} satisfies Record<ErrorCode, true>;

/** The words for a code; one of a later version has general ones. */
export function failureKey(code: string): ErrorCode | 'other' {
  return Object.hasOwn(KNOWN, code) ? (code as ErrorCode) : 'other';
}

/** What a person may run on Linux to mend it. */
const REMEDIES = {
  'no-rights': 'sudo setcap cap_net_admin,cap_net_raw+ep native/build/Release/warren-tun-helper',
  'already-running': 'warren down',
} as const;

/** Trying the same again helps when the cause lies outside. */
const WORTH_RETRYING: ReadonlySet<string> = new Set([
  'no-server',
  'no-rights',
  'already-running',
  'name-taken',
  'port-taken',
  'room-full',
  'timeout',
  'unreachable',
  'disk',
  'internal',
]);

/** Why the last try to enter a room failed, and what to do now. */
export function Failure({ onRetry }: { onRetry(room: SavedRoom): void }): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const connection = useApp((app) => app.connection);
  const rooms = useApp((app) => app.rooms);
  const linux = useApp(({ about }) => about.platform === 'linux');
  if (connection.state !== 'failed') return null;
  const key = failureKey(connection.code);
  const saved = WORTH_RETRYING.has(key) ? rooms.find((room) => room.name === connection.room) : undefined;
  return (
    <Banner
      kind="danger"
      urgent
      title={t(`failure.${key}.title`)}
      actions={
        <>
          {saved && (
            <Button size="small" onClick={() => onRetry(saved)}>
              {t('failure.retry')}
            </Button>
          )}
          <Button size="small" kind="quiet" onClick={() => void ask({ type: 'dismiss' })}>
            {t('common.dismiss')}
          </Button>
        </>
      }
    >
      <p>{t(`failure.${key}.help`)}</p>
      {linux && (key === 'no-rights' || key === 'already-running') && (
        <>
          <p className="mt-1">{t(`failure.remedy.${key}`)}</p>
          <CopyValue value={REMEDIES[key]} className="-ms-1" whole />
        </>
      )}
      <p className="mt-1 text-soft">{t('failure.room', { room: isolated(connection.room) })}</p>
    </Banner>
  );
}
