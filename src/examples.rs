//! Three examples at the end of each subcommand's help.

use crate::exits;

/// By subcommand.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "record",
        "\
Examples:
  tracer record -o build.trz -- make                       a command and what it starts
  tracer record -o c.trz --rotate 100M --max-disk 4G       a set of files that keeps to a limit, the oldest removed
  tracer record --flight 60s --trigger rule:high -o f.trz  what led to a finding of a rule",
    ),
    (
        "watch",
        "\
Examples:
  sudo tracer watch                                       what changes this host, and who talks to whom
  sudo tracer watch -f 'openat.pathname=/etc/*' -w c.trz  some of it shown, all of it recorded
  sudo tracer watch --rules sigma/rules/linux             findings of rules beside events",
    ),
    (
        "replay",
        "\
Examples:
  tracer replay c.trz -f comm=sshd -f 'openat.pathname=/etc/*' --columns +exe,-uid
  tracer replay c.trz --around '#1204' -C 20 --losses
  tracer replay c.trz -f event=openat --template '{time} {comm} {openat.pathname}'",
    ),
    (
        "ui",
        "\
Examples:
  tracer ui c.trz                                    all of it; / filters, ? shows the keys
  tracer ui c.0000.trz c.0001.trz -f comm=sshd       parts of a set, with a filter to begin with
  sudo tracer ui --live -w now.trz                   this host, while it is recorded",
    ),
    (
        "catalog",
        "\
Examples:
  tracer catalog /var/lib/captures            write it, or bring it up to date
  tracer replay /var/lib/captures -f comm=xmrig --stats
  tracer catalog /var/lib/captures --check    whether it says what the captures say",
    ),
    (
        "export",
        "\
Examples:
  tracer export c.trz --to csv -o c.csv -f event=openat
  tracer export c.trz --to strace -f comm=nginx
  tracer export c.trz --to pcapng -o c.pcapng",
    ),
    (
        "top",
        "\
Examples:
  tracer top c.trz --by file -f comm=nginx --sort bytes
  tracer top c.trz --by comm,event,errno --limit 5
  sudo tracer top --live --by comm,file -f 'openat.retval<0'",
    ),
    (
        "tree",
        "\
Examples:
  tracer tree c.trz --of 'openat.pathname=/etc/shadow'    who opened it, and who started them
  tracer tree c.trz --pid 1204 --depth 2
  tracer tree c.trz -o dot | dot -Tsvg >tree.svg",
    ),
    (
        "report",
        "\
Examples:
  tracer report c.trz -o report.html
  tracer report c.trz -f tree=510 --rules sigma/rules/linux --from 14:00 --to 15:00 -o report.html
  tracer report c.trz --story path=/etc/cron.d/x --case CASE.toml -o report.html",
    ),
    (
        "ps",
        "\
Examples:
  tracer ps c.trz --at 14:03                       what ran then
  tracer ps c.trz --at '#1204' -f tree=500         below process 500, when event 1204 happened
  tracer ps c.trz --at +10s -o json | jq -r .exe",
    ),
    (
        "lsof",
        "\
Examples:
  tracer lsof c.trz --at 14:03 -f comm=nginx
  tracer lsof c.trz --at '#1204' -f pid=510        what it had open when event 1204 happened
  tracer lsof c.trz -o json | jq 'select(.name | test(\"deleted\"))'",
    ),
    (
        "ss",
        "\
Examples:
  tracer ss c.trz --at 14:03
  tracer ss c.trz --at -10m -f container=web
  tracer ss c.trz -o json | jq 'select(.state == \"LISTEN\") | .local'",
    ),
    (
        "mounts",
        "\
Examples:
  tracer mounts c.trz                              those that are left at the end
  tracer mounts c.trz --at 14:03 -f container=web
  tracer mounts c.trz -o json | jq -r .target",
    ),
    (
        "containers",
        "\
Examples:
  tracer containers c.trz --at 14:03
  tracer containers c.trz -f comm=nginx            those in which it ran at the end
  tracer containers c.trz -o json | jq -r .image",
    ),
    (
        "diff-state",
        "\
Examples:
  tracer diff-state c.trz --from 14:00 --to 14:05
  tracer diff-state c.trz --from '#7' --only ps,ss
  tracer diff-state c.trz --from +1s --to +2s -f tree=500 -o json",
    ),
    (
        "story",
        "\
Examples:
  tracer story c.trz --of '#1204' --back           what led to this event
  tracer story c.trz --of path=/etc/cron.d/x --forward
  tracer story c.trz --of peer=10.0.0.9:443 --back -o dot | dot -Tsvg >story.svg",
    ),
    (
        "file",
        "\
Examples:
  tracer file c.trz /etc/cron.d/x
  tracer file c.trz '/tmp/*' --from 14:00 --to 14:05
  tracer file c.trz /etc/shadow -o json | jq 'select(.how == \"reads\") | .command'",
    ),
    (
        "user",
        "\
Examples:
  tracer user c.trz alice
  tracer user c.trz 1000 --from 14:00 --to 14:05
  tracer user c.trz www-data -o json | jq 'select(.how == \"forks\")'",
    ),
    (
        "conn",
        "\
Examples:
  tracer conn c.trz
  tracer conn c.trz 10.0.0.0/8                     by address, net, port (:443) or name ('*.example.org')
  tracer conn c.trz -o json | jq 'select(.sent > 1000000) | .peer'",
    ),
    (
        "doctor",
        "\
Examples:
  sudo tracer doctor                   all of it, programs loaded on trial
  tracer doctor /var/captures
  sudo tracer doctor -o json | jq 'select(.verdict != \"ok\")'",
    ),
    (
        "config",
        "\
Examples:
  tracer config                        which files are read
  tracer config --show replay          what is set for a command, and where
  TRACER_UTC=1 tracer config --show",
    ),
    (
        "completions",
        "\
Examples:
  tracer completions bash              for source <(tracer completions bash) in ~/.bashrc
  tracer completions zsh               for a file _tracer in a folder of $fpath
  tracer completions fish              for ~/.config/fish/completions/tracer.fish",
    ),
    (
        "help",
        "\
Examples:
  tracer help openat                   what the event is, its arguments, filters that ask it
  tracer help columns
  tracer help filters | less",
    ),
    (
        "info",
        "\
Examples:
  tracer info c.trz                           host, times, events, losses
  tracer info c.trz -o json | jq .lost
  tracer info c.trz --identity key.txt        of an encrypted capture",
    ),
    (
        "extract",
        "\
Examples:
  tracer extract c.trz -o kept                          the bytes of all artifacts, and manifest.json
  tracer extract c.trz -o kept -f container -f comm=sh  those of events that match
  tracer extract c.trz --list                           what there is, and what was left out and why",
    ),
    (
        "import",
        "\
Examples:
  tracer import --from tracee-json events.json -o events.trz
  tracee -o json | tracer import --from tracee-json - -o live.trz
  tracer import --from tracee-json events.json -o events.trz --force",
    ),
    (
        "verify",
        "\
Examples:
  tracer verify c.trz                          names the first bad block
  tracer verify --key key.pub c.*.trz          a whole set, signed by this key
  tracer verify --heads heads.log c.trz        holds it to what a witness heard",
    ),
    (
        "case",
        "\
Examples:
  tracer case show evidence/CASE.toml
  tracer case sign CASE.toml --sign-key key        writes CASE.toml.sig
  tracer case verify CASE.toml --key key.pub       exit code 1 when it was changed since",
    ),
    (
        "keygen",
        "\
Examples:
  tracer keygen key                                makes key and key.pub
  tracer keygen --forward key                      one whose used parts are erased
  tracer record --sign-key key -o c.trz            signs with it",
    ),
    (
        "recover",
        "\
Examples:
  tracer recover c.trz -o clean.trz
  tracer recover c.trz -o clean.trz --sign-key key
  tracer recover c.trz -o - | ssh archive 'cat >clean.trz'",
    ),
    (
        "cut",
        "\
Examples:
  tracer cut c.trz -o part.trz --from +10s --to +20s
  tracer cut c.trz -o sshd.trz -f comm=sshd -f follow --drop '*.buf'
  tracer cut c.trz -o small.trz --compression max",
    ),
    (
        "merge",
        "\
Examples:
  tracer merge web1.trz web2.trz -o both.trz
  tracer merge c.*.trz -o whole.trz --compression max
  tracer merge web1.trz web2.trz -o both.trz --sign-key key",
    ),
    (
        "redact",
        "\
Examples:
  tracer redact c.trz -o shared.trz --hash paths,argv,hosts,addresses
  tracer redact c.trz -o shared.trz --drop 'any=*secret*'
  tracer redact c.trz -o shared.trz --hash hosts --sign-key key",
    ),
    (
        "explain",
        "\
Examples:
  tracer explain c.trz -f comm=ls -f 'openat.pathname=/etc/*'
  tracer explain c.trz --event 7 -f comm=ls                why this one does or does not
  tracer explain c.trz --at 20:09:15:041923 -p policies/",
    ),
    (
        "diff",
        "\
Examples:
  tracer diff c.trz --before '-f 9:comm=ls' --after '-f 9:binary=/usr/bin/ls'
  tracer diff c.trz --before old/ --after new/
  tracer diff c.trz --before old.yaml --after new.yaml --count",
    ),
    (
        "scan",
        "\
Examples:
  tracer scan c.trz                                        the rules that are part of the program
  tracer scan c.trz --rules sigma/rules/linux --fail-on high
  tracer scan web1.trz web2.trz --rules mine/ -o sarif > findings.sarif",
    ),
    (
        "rules",
        "\
Examples:
  tracer rules check mine/                     what cannot be read, and where
  tracer rules check sigma/rules/linux c.trz   what this capture cannot answer
  tracer rules test mine/tests.yaml -o junit   whether they find what they must",
    ),
    (
        "sql",
        "\
Examples:
  tracer sql c.trz 'select comm, count(*) from events group by comm order by 2 desc limit 10'
  tracer sql captures/ 'select * from connections' -o csv
  tracer sql s3://bucket/web 'select time, host from events where comm = $$xmrig$$'",
    ),
    (
        "fleet",
        "\
Examples:
  tracer fleet scheduler --bind 127.0.0.1:50050
  tracer fleet executor --scheduler 127.0.0.1:50050
  tracer sql --cluster 127.0.0.1:50050 s3://bucket/web 'select count(*) from events'",
    ),
    (
        "events",
        "\
Examples:
  tracer events openat                         its arguments, and whose word each is
  tracer events --set fs
  sudo tracer events --available               what this kernel can record",
    ),
];

/// The examples of a subcommand.
pub fn of(name: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A command whose subcommands end their help with what their exit codes mean and with their examples.
pub fn add(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|subcommand| {
        let name = subcommand.get_name().to_owned();
        let Some(text) = of(&name) else { return subcommand };
        let exits = exits::text(&name);
        let subcommand = subcommand.mut_subcommands(|part| part.after_help(exits.clone()));
        subcommand.after_help(format!("{exits}\n\n{text}"))
    })
}
