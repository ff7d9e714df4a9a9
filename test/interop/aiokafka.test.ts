import { describeInterop } from './broker-under-test.ts'
import { aioKafka } from './clients/python.ts'
import { storyOfAGroup, storyOfEveryRecord } from './scenarios.ts'

describeInterop(['python'], aioKafka.name, (broker) => {
  storyOfEveryRecord(aioKafka, broker)
  storyOfAGroup(aioKafka, broker)
})
