/**
 * Words that are tried first, written down for this program: what every published list of guessed passwords begins with (words,
 * names, teams, rows of keys), without a copy of any list. Since twelve characters are asked for, most of those lists are too
 * short to matter; what counts is the word inside, which password.ts looks for with digits and signs taken away, and the long
 * rows and phrases below.
 */
const words = `
password passwort passw0rd p@ssword p@ssw0rd pa55word motdepasse contrasena contraseña senha wachtwoord salasana haslo parola heslo
admin administrator root user guest test login welcome letmein changeme default secret master owner system server manager
qwerty qwertyuiop qwertz qwertzuiop azerty azertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm yxcvbnm qazwsx qazwsxedc qweasd qweasdzxc
iloveyou loveyou iloveu sunshine princess dragon monkey shadow superman batman spiderman ironman starwars startrek pokemon naruto
football baseball basketball soccer hockey tennis golf liverpool arsenal chelsea barcelona juventus realmadrid manchester bayern
michael jennifer jessica ashley daniel andrew joshua matthew anthony charlie thomas robert jordan hunter george harley ranger
nicole hannah amanda samantha michelle daniela alexander christian sebastian benjamin maximilian elizabeth stephanie christopher
computer internet samsung google facebook microsoft windows android iphone nintendo playstation minecraft fortnite counterstrike
freedom whatever trustno access flower summer winter spring autumn january february march april june july august september october
november december monday tuesday wednesday thursday friday saturday sunday sommer winter frühling herbst hallo hallowelt
cheese butterfly purple orange yellow banana chocolate cookie pepper ginger killer mustang corvette ferrari porsche mercedes
jellyfin plex emby sonarr radarr codecshift transcode transcoder homeserver mediaserver synology raspberry raspberrypi ubuntu debian
blink amigos babygirl lovely loveme family forever friends friendship jesus jesuschrist angel angels blessed heaven
correcthorsebatterystaple correcthorse thequickbrownfox thequickbrownfoxjumps loremipsum loremipsumdolor opensesame abracadabra
letmeinplease letmeinnow iloveyoumore iloveyouforever welcomehome welcomeback passwordispassword mypassword mypasswordis
thisismypassword thisisapassword ihavenopassword nopassword nopasswordneeded whateverwhatever administratoradministrator
supersecret topsecret superuser superadmin masterkey secretpassword adminpassword rootpassword userpassword testpassword testtest
`;
const rows = `
123456789012 1234567890123 12345678901234 123456789123456789 12345678910 1234567891011 123123123123 123456123456 012345678901
098765432109 987654321098 9876543210987 0987654321 111222333444 112233445566 1122334455667788 121212121212 123321123321 147258369
147258369147 159753159753 741852963741 789456123789 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1qaz2wsx3edc 1qaz2wsx3edc4rfv
q1w2e3r4t5y6 zaq12wsxcde3 zaq1xsw2cde3 qwerty123456 qwerty1234567 qwertyuiop123 qwertyuiop[] qwertyuiopas asdfghjkl123 asdfghjkl;'
abcdefghijkl abcdefghijklm abcdefghijklmnop abcdef123456 abcd1234abcd abc123abc123 abcabcabcabc aabbccddeeff a1b2c3d4e5f6 a1s2d3f4g5h6
qazwsxedcrfv qazwsxedcrfvtgb zxcvbnm12345 zxcvbnmasdfgh asdfasdfasdf asdf1234asdf qwerqwerqwer qwer1234qwer test12345678 admin1234567
`;

export const commonPasswords: ReadonlySet<string> = new Set(`${words} ${rows}`.split(/\s+/).filter(Boolean));
