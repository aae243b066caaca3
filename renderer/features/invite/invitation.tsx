import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp, useFace } from '../../store/hooks.ts';
import { isolated, plainLine } from '../../store/plain.ts';
import { draftOf } from '../../store/store.ts';
import { Confirm } from '../../ui/confirm.tsx';

/** An invite was opened: says where it leads, and what it costs, before anything happens. */
export function InvitationDialog(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const invitation = useApp((app) => app.invitation);
  const typedNick = useFace((state) => draftOf(state).nick.trim());
  if (invitation === null) return null;
  const answer = (accept: boolean) =>
    void ask({ type: 'answer-invite', accept, ...(accept && typedNick !== '' ? { nick: typedNick } : {}) });
  return (
    <Confirm
      key={invitation.name}
      title={t('invitation.title', { room: isolated(invitation.name) })}
      action={t('invitation.accept')}
      decline={t('invitation.decline')}
      onConfirm={() => answer(true)}
      onClose={() => answer(false)}
    >
      <p>{t('invitation.lead')}</p>
      <p className="mt-3 text-[13px] font-semibold">{t('invitation.servers')}</p>
      <ul className="font-mono text-[13px] break-all text-soft">
        {invitation.servers.map((server) => (
          <li key={server}>{plainLine(server, 512)}</li>
        ))}
      </ul>
      {invitation.leaving !== null && (
        <p className="mt-3 rounded-lg bg-relayed-soft px-3 py-2 font-medium text-relayed">
          {t('invitation.leaving', { room: isolated(invitation.leaving) })}
        </p>
      )}
    </Confirm>
  );
}
