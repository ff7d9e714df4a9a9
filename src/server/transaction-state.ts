// Owns bringing the transaction coordinator back at start: its whole log, which is its own snapshot. Not the coordinator.

import { OpError } from '../base/op-error.ts'
import { type InternalTopicLog, transactionStateTopic } from '../broker/index.ts'
import type { TransactionCoordinator } from '../transactions/index.ts'

/** After the groups: what goes on with its markers may end offsets that wait in a group. */
export async function restoreTransactions(parts: {
  readonly transactions: TransactionCoordinator
  readonly transactionLog: InternalTopicLog
}): Promise<void> {
  const { transactions, transactionLog } = parts
  for (let partition = 0; partition < transactionLog.partitionCount; partition += 1) {
    await transactionLog.replay(partition, 0, {
      record: (record) => {
        const applied = transactions.replay(partition, record)
        if (!applied.ok) {
          const detail = `${transactionStateTopic}-${partition}: ${applied.failure}; run 'chronik bucket verify'`
          throw new OpError('corrupt', { code: 'TRANSACTIONS_UNREADABLE', detail })
        }
      },
      marker: () => undefined,
    })
  }
  transactions.start()
}
