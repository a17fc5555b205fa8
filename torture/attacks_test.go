//go:build failpoints

package torture

import (
	"fmt"
	"strings"
)

// attack is a text that has broken some program. class is the kind of attack.
type attack struct{ class, text string }

// attacks are all attacks, without duplicates.
var attacks = allAttacks()

// attackTexts are the attack texts by class, one per line.
var attackTexts = map[string]string{
	"query operators": `
{"$ne":""}
{"$gt":""}
{"$regex":".*"}
{"$where":"sleep(1000)"}
{"$exists":true}
{"$in":["ada"]}
$where
$ne
$set
$unset
$rename
$expr
$lookup
$out
[$ne]
user_id[$ne]=x
';return true;//
';while(true){}//
||1==1
this.password.match(/.*/)
db.users.drop()
a.b
a.b.c
.
..
.a
a.
$
a$b`,
	"SQL": `
' OR '1'='1
' OR 1=1--
' OR 1=1#
" OR ""="
') OR ('1'='1
'; DROP TABLE users;--
'; DROP TABLE users;SELECT '
1; ATTACH DATABASE '/tmp/x' AS x
' UNION SELECT name FROM sqlite_master--
' UNION ALL SELECT NULL,NULL,NULL--
'; PRAGMA writable_schema=1;--
1 OR SLEEP(5)
1' AND RANDOMBLOB(1000000000)--
x' AND 1=(SELECT COUNT(*) FROM tokens)--
\'; --
'||(SELECT password FROM users LIMIT 1)||'
%27%20OR%201=1
?
:1
@x
%
_
%_%
load_extension('x')`,
	"paths": `
../
../../
../../../../etc/passwd
..\..\..\windows\win.ini
/etc/passwd
//etc/passwd
/
//
\
\\host\share
file:///etc/passwd
....//....//etc/passwd
..%2f..%2fetc%2fpasswd
%2e%2e%2f%2e%2e%2f
%252e%252e%252f
..%c0%af..%c0%afetc/passwd
..%ef%bc%8f
.%00./
data/master.key
./web-backend.db
C:\
C:con
con
nul
aux.txt
lpt1
~root
~/.ssh/id_rsa
/proc/self/environ
/dev/null
.git/config
%2F
%5c
;/x
x;jsessionid=1
?x=1
#fragment`,
	"header and log injection": `
x%0d%0aX-Injected: 1
%0d%0a%0d%0a<html>
%E5%98%8A%E5%98%8DX-Injected:1
time=2026-01-01T00:00:00Z level=INFO msg=forged
level=ERROR msg="forged"
" level=ERROR msg="forged
=
a=b
msg=
HTTP/1.1 200 OK
GET / HTTP/1.1
Bearer x
Basic YTpi
wbt_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
X-Forwarded-For: 127.0.0.1`,
	"pages": `
<script>alert(1)</script>
"><script>alert(1)</script>
'><img src=x onerror=alert(1)>
<svg/onload=alert(1)>
<iframe src="javascript:alert(1)">
javascript:alert(1)
data:text/html,<script>alert(1)</script>
</pre><h1>x</h1>
</title><script>
<!--
-->
<![CDATA[
]]>
&lt;script&gt;
&#x3c;script&#x3e;
\u003cscript\u003e
<base href=//evil>
<meta http-equiv=refresh content=0;url=//evil>
<style>@import'//evil'</style>
<a href="//evil">x</a>`,
	"templates and shells": `
{{7*7}}
${7*7}
#{7*7}
<%= 7*7 %>
{{constructor.constructor('x')()}}
${jndi:ldap://127.0.0.1/x}
${env:PATH}
$PATH
$(id)
` + "`id`" + `
; id
| id
&& id
|| id
> /tmp/x
%s%s%s%s%n
%d
%!s(MISSING)
%v
{0}
{user_id}
{user_id}/{character_id}
!!python/object/apply:os.system ["id"]
<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>
<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">
*anchor
&anchor
- x
__proto__
constructor
prototype
toString
__class__
__init__`,
	"numbers": `
0
-0
-1
00
01
1e309
-1e309
1e-400
1e999999999
NaN
Infinity
-Infinity
0x10
0b1
1_000
1,000
2147483647
2147483648
-2147483649
9223372036854775807
9223372036854775808
-9223372036854775809
18446744073709551616
1.0000000000000000000001
0.1e
1/0
١٢٣
１２３
²
Ⅷ`,
	"words": `
null
undefined
None
nil
true
false
True
FALSE
[]
{}
""
''
[object Object]
NULL
(null)
N/A
admin
root
operator
ada
ADA
Ada
api
v1
health`,
	"unicode": `
é
é
Ａda
аdа
ﬁ
ß
ẞ
İ
ı
ſ
K
Ω
ǅ
𝐀𝐝𝐚
😀
سلام
שלום
ไทย
한국어
中文
𠜎𠜱
﷽
ㅤ`,
}

func allAttacks() []attack {
	var all []attack
	seen := map[string]bool{}
	add := func(class, text string) {
		if !seen[text] {
			seen[text] = true
			all = append(all, attack{class, text})
		}
	}
	for class, lines := range attackTexts {
		for line := range strings.Lines(strings.TrimPrefix(lines, "\n")) {
			add(class, strings.TrimSuffix(line, "\n"))
		}
	}
	// Add each control character of ASCII and Latin 1, between letters and
	// alone.
	for r := range rune(0xa0) {
		if r < ' ' || r >= 0x7f {
			add("control characters", fmt.Sprintf("a%cb", r))
		}
	}
	for r := rune('!'); r < 0x7f; r++ {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", r) {
			add("punctuation", strings.Repeat(string(r), 3))
		}
	}
	for _, text := range []string{
		"\r\nX-Injected: 1", "x\r\n\r\n<html>", "x\ntime=2026-01-01T00:00:00Z level=ERROR msg=forged", "\x1b[31mred\x1b[0m",
		"\x1b]0;title\x07", "\x1b[2J", "\u2028", "\u2029", "a\u0000b", "\ufffe", "\uffff", "\U0010ffff", "\ue000", "\u202e\u0000",
		"\t", " ", "  ", " ada", "ada ", "\n", "\r", "\v\f",
	} {
		add("header and log injection", text)
	}
	for _, text := range []string{
		"\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
		"\U0001f3f3\ufe0f\u200d\U0001f308",
		"ada\u200b",
		"\u202eada",
		"ada\u202c",
		"\u2066x\u2069",
		"\ufeffada",
		"a\u0310éö\u0332",
		"Z\u0324\u0354\u0367\u0311\u0313ä\u0356\u032d\u0308\u0307l\u036e\u0312\u036bǧ\u0317\u035a\u031ao\u0319\u0314\u036e\u0307\u0350\u0307",
		"\u0939ि\u0928\u094d\u0926ी",
		"\u200f",
		"\u00ad",
		"\u034f",
		" ",
		"\u3000",
		"\u00a0",
		"\u3164",
	} {
		add("unicode", text)
	}
	for _, size := range []int{63, 64, 65, 255, 256, 4096, 65_536, 500_000} {
		add("long texts", strings.Repeat("a", size))
		add("long texts", strings.Repeat("é", size/2))
		add("long texts", strings.Repeat("a\u0301", size/3))
		add("long texts", strings.Repeat("[", size/2))
	}
	return all
}
