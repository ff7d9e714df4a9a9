import { describeInterop } from './broker-under-test.ts'
import { confluentKafka } from './clients/python.ts'
import { storyOfAGroup, storyOfEveryRecord } from './scenarios.ts'

describeInterop(['python'], confluentKafka.name, (broker) => {
  storyOfEveryRecord(confluentKafka, broker)
  storyOfAGroup(confluentKafka, broker)
})
