import { describeInterop } from './broker-under-test.ts'
import { platformatic } from './clients/platformatic.ts'
import { storyOfAGroup, storyOfEveryRecord } from './scenarios.ts'

describeInterop([], platformatic.name, (broker) => {
  storyOfEveryRecord(platformatic, broker)
  storyOfAGroup(platformatic, broker)
})
