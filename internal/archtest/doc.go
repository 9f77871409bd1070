// Package archtest holds tests of the repository as a whole: which package may import which, what no file
// may contain, and which licences and versions of dependencies are acceptable. It has no code of its own.
package archtest
