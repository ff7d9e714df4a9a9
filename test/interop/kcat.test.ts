import { describeInterop } from './broker-under-test.ts'
import { kcatClient } from './clients/kcat.ts'
import { storyOfAGroup, storyOfEveryRecord } from './scenarios.ts'

describeInterop(['kcat'], kcatClient.name, (broker) => {
  storyOfEveryRecord(kcatClient, broker)
  storyOfAGroup(kcatClient, broker)
})
