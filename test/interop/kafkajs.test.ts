import { describeInterop } from './broker-under-test.ts'
import { kafkajs } from './clients/kafkajs.ts'
import { storyOfAGroup, storyOfEveryRecord } from './scenarios.ts'

describeInterop([], kafkajs.name, (broker) => {
  storyOfEveryRecord(kafkajs, broker)
  storyOfAGroup(kafkajs, broker)
})
