/**
 * Apache Kafka's command line tools, run step by step against our broker and against a real Apache Kafka: what they print and how they
 * end must be the same but for ids, times, hosts and folders.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithTools } from '../support/tools/tools.ts'
import { aclSteps } from './java-tools/acls.ts'
import { clientSteps } from './java-tools/clients.ts'
import { configSteps } from './java-tools/configs.ts'
import { Differential } from './java-tools/differential.ts'
import { groupStateSteps } from './java-tools/group-states.ts'
import { groupSteps } from './java-tools/groups.ts'
import { logSteps } from './java-tools/log.ts'
import { slowMs } from './java-tools/names.ts'
import { lastTopicSteps, topicSteps } from './java-tools/topics.ts'
import { transactionSteps } from './java-tools/transactions.ts'
import { kafkaAnswers } from './produce-answers/answers.ts'
import { askAll } from './produce-answers/ask.ts'

describeWithTools(['kafka'], 'Kafka’s command line tools say of us what they say of Apache Kafka:', () => {
  const kafka = new Differential()
  beforeAll(() => kafka.start(), slowMs)
  afterAll(() => kafka.stop(), slowMs)

  topicSteps(kafka)
  configSteps(kafka)
  logSteps(kafka)
  groupSteps(kafka)
  groupStateSteps(kafka)
  transactionSteps(kafka)
  aclSteps(kafka)
  clientSteps(kafka)
  lastTopicSteps(kafka)

  it('and this Apache Kafka says to each produced batch what is frozen of it', { timeout: slowMs }, async () => {
    expect(await askAll(kafka.bootstraps[1])).toEqual(kafkaAnswers)
  })
})
