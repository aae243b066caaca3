import { FileCheck2, FileX2, Undo2 } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import type { FilterView, PolicyView } from '../../../protocol/filter.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { plainLine } from '../../store/plain.ts';
import { Button } from '../../ui/button.tsx';
import { Choice } from '../../ui/choice.tsx';
import { Card } from '../../ui/page.tsx';

/** What friends can reach on this PC: a preset, or a policy file instead. An engine that does not tell shows nothing. */
export function Reach(): ReactNode {
  const t = useText();
  const filter = useApp(({ snapshot }) => snapshot.filter);
  if (filter === undefined) return null;
  return (
    <Card title={t('reach.title')} lead={t('reach.lead')}>
      <div className="flex flex-col gap-3">
        <Presets filter={filter} />
        {filter.policy !== null && <Policy policy={filter.policy} />}
        <PolicyButtons policy={filter.policy} />
      </div>
    </Card>
  );
}

function Presets({ filter: { preset, policy } }: { filter: FilterView }): ReactNode {
  const t = useText();
  const { ask } = useActions();
  return (
    <Choice
      label={t('reach.preset')}
      value={preset}
      disabled={policy !== null}
      options={[
        { value: 'games', label: t('reach.games'), help: t('reach.gamesHelp') },
        { value: 'open', label: t('reach.open'), help: t('reach.openHelp') },
        { value: 'closed', label: t('reach.closed'), help: t('reach.closedHelp') },
      ]}
      onChange={(value) => void ask({ type: 'filter', preset: value })}
    />
  );
}

function Policy({ policy: { file, rules, tests, problem } }: { policy: PolicyView }): ReactNode {
  const t = useText();
  const Icon = problem === null ? FileCheck2 : FileX2;
  return (
    <div className="flex gap-2.5 rounded-lg border border-line bg-sunken p-3 text-[13px]">
      <Icon aria-hidden className={`mt-0.5 size-4 shrink-0 ${problem === null ? 'text-direct' : 'text-danger'}`} />
      <div className="min-w-0">
        <p className="font-medium">{t('reach.policyOn', { rules, tests })}</p>
        {file !== null && <p className="font-mono break-all text-soft">{plainLine(file, 256)}</p>}
        {problem !== null && (
          <p role="alert">
            {t('reach.policyProblem', { line: problem.line, message: plainLine(problem.message, 256) })}
          </p>
        )}
      </div>
    </div>
  );
}

function PolicyButtons({ policy }: { policy: PolicyView | null }): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const chooser = useRef<HTMLInputElement>(null);
  const load = async (file: File | undefined) => {
    if (file) await ask({ type: 'policy', text: await file.text() });
  };
  return (
    <div className="flex flex-wrap gap-2">
      <input
        ref={chooser}
        type="file"
        accept=".json,.jsonc,.hujson"
        aria-label={t('reach.policyChoose')}
        tabIndex={-1}
        className="hidden"
        onChange={({ target }) => void load(target.files?.[0]).finally(() => (target.value = ''))}
      />
      <Button size="small" icon={FileCheck2} kind="quiet" onClick={() => chooser.current?.click()}>
        {t('reach.policyChoose')}
      </Button>
      {policy !== null && (
        <Button size="small" icon={Undo2} kind="quiet" onClick={() => void ask({ type: 'policy', text: null })}>
          {t('reach.policyRemove')}
        </Button>
      )}
    </div>
  );
}
