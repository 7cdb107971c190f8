#!/bin/sh
# Copies the jars of the broker that pom.xml names to lib/. Does nothing when lib/ already holds those of this pom.xml.
set -eu
cd "$(dirname "$0")"

stamp=$(cksum pom.xml)
if [ -f lib/.stamp ] && [ "$(cat lib/.stamp)" = "$stamp" ]; then
	echo "deploy/kafka: lib is complete"
	exit 0
fi
for tool in java mvn; do
	if ! command -v "$tool" >/dev/null; then
		echo "deploy/kafka: $tool is missing; install a JDK (17 or newer) and Maven" >&2
		exit 1
	fi
done
# Into a folder of its own first: an interrupted copy must not look like a complete one.
rm -rf lib.new
mvn --batch-mode --quiet --file pom.xml dependency:copy-dependencies
printf '%s\n' "$stamp" >lib.new/.stamp
rm -rf lib
mv lib.new lib
echo "deploy/kafka: $(find lib -name '*.jar' | wc -l | tr -d ' ') jars in lib"
