import { describeInterop } from './broker-under-test.ts'
import { kafkaPython } from './clients/python.ts'
import { storyOfAGroup, storyOfEveryRecord } from './scenarios.ts'

describeInterop(['python'], kafkaPython.name, (broker) => {
  storyOfEveryRecord(kafkaPython, broker)
  storyOfAGroup(kafkaPython, broker)
})
