# Reads what `go test -v ./...` prints, prints what it prints without -v: the output of a package
# that failed, and one closing line for each package. Skipped tests are named under that line, and
# in integration_test they are failures: there a skip means that a client or the browser was missing.

/^ *--- SKIP: / {
	skipped[skips++] = $0
	next
}

/^(ok|FAIL|\?) *\t/ {
	if ($1 == "FAIL")
		flush()
	print
	integration = $2 ~ /\/integration_test(\/|$)/
	for (i = 0; i < skips; i++) {
		# Skipped below the top level outside of integration_test: inputs that a fuzz target declined.
		if (integration || skipped[i] ~ /^---/)
			print "\t" skipped[i]
		if (integration)
			missing++
	}
	fflush()
	lines = skips = 0
	next
}

# What -v adds: which test the next lines are from, of use only when there are any.
/^ *=== (RUN|CONT|NAME) / {
	test = $0
	next
}
/^ *(=== PAUSE |--- PASS: )/ || /^PASS$/ {
	test = ""
	next
}

{
	if (test != "" && $0 !~ /^ *--- /)
		line[lines++] = test
	test = ""
	line[lines++] = $0
}

END {
	flush()
	if (missing) {
		print "FAIL: " missing " tests of integration_test were skipped"
		exit 1
	}
}

function flush(i) {
	for (i = 0; i < lines; i++)
		print line[i]
	lines = 0
}
