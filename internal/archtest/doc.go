// Package archtest holds the tests of the repository as a whole: which package may import which,
// what no file may contain, and under which licences and from which versions on others' code is
// used. It has no code of its own.
package archtest
