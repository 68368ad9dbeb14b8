import { testWay } from '../support/ways/run-by.ts'
import { nbconvert } from '../support/ways/ways.ts'

testWay(nbconvert)
