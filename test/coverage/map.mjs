/** What every test is to cover, whichever it is: all of the program. Not the tests' helpers, nor the demo. */
export default () => 'src/**/*.ts'
