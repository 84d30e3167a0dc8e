# mail.pl: Perl's Net::* and Mail::IMAPClient as mail clients: perl mail.pl PROTOCOL starttls|implicit PORT CA FILE LOGIN,
# or PROTOCOL external PORT CA FILE LOGIN CERTIFICATE KEY: STARTTLS, and SASL EXTERNAL
#
# smtp, submission: sends the file. imap, pop3: the first message into the file. nntp: posts the file, and puts what
# came back of it there. LOGIN: user:password, or nothing.
use strict;
use warnings;
use Authen::SASL;
use IO::Socket::SSL;
use Mail::IMAPClient;
use MIME::Base64;
use Net::NNTP;
use Net::POP3;
use Net::SMTP;

my ($proto, $front, $port, $ca, $file, $login, $cert, $key) = @ARGV;
my ($user, $password) = split(/:/, $login // '');
my @trust = (SSL_ca_file => $ca, SSL_verifycn_name => 'localhost', SSL_verify_mode => SSL_VERIFY_PEER,
    ($cert ? (SSL_cert_file => $cert, SSL_key_file => $key, SSL_use_cert => 1) : ()));
my $sasl = Authen::SASL->new(mechanism => 'EXTERNAL', callback => { user => $user, authname => $user });
my @first = $front eq 'implicit' ? (SSL => 1, @trust) : ();

sub slurp {
    open(my $in, '<:raw', $file) or die "$file: $!";
    local $/;
    return scalar <$in>;
}

sub keep {
    open(my $out, '>:raw', $file) or die "$file: $!";
    print $out @_;
    close($out) or die "$file: $!";
}

sub good {
    my ($ok, $what, $c) = @_;
    die "$what: " . ($c ? $c->message : $@ || $!) . "\n" unless $ok;
    return $ok;
}

sub connected {
    my ($class) = @_;
    my $c = good($class->new('localhost', Port => $port, Timeout => 30, @first), "connecting: $@");
    good($c->starttls(@trust), 'STARTTLS', $c) if $front ne 'implicit';
    return $c;
}

if ($proto eq 'imap') {
    my @tls = map { ref $_ ? $_ : $_ } ($front eq 'implicit' ? (Ssl => [@trust]) : (Starttls => [@trust]));
    my $c = good(Mail::IMAPClient->new(Server => 'localhost', Port => $port, User => $user, Password => $password, Timeout => 30,
        Uid => 0, @tls, ($cert ? (Authmechanism => 'EXTERNAL', Authcallback => sub { encode_base64($user, '') }) : ())), "connecting: $@");
    $c->select('INBOX') or die $c->LastError;
    keep($c->message_string(1) // die $c->LastError);
    $c->logout;
} elsif ($proto eq 'pop3') {
    my $c = connected('Net::POP3');
    good($cert ? $c->auth($sasl) : defined $c->login($user, $password), 'login', $c);
    keep(@{good($c->get(1), 'RETR', $c)});
    $c->quit;
} elsif ($proto eq 'nntp') {
    my $c = connected('Net::NNTP');
    my $article = slurp();
    my ($id) = $article =~ /^Message-ID: (\S+)/m;
    good($c->reader, 'MODE READER', $c);
    good($c->authinfo($user, $password), 'login', $c);
    good($c->post(map { s/\r\n/\n/r } split(/^/m, $article)), 'POST', $c);
    keep(@{good($c->article($id), 'ARTICLE', $c)});
    $c->quit;
} else {
    my $c = connected('Net::SMTP');
    good($cert ? $c->auth($sasl) : $c->auth($user, $password), 'AUTH', $c) if $user;
    good($c->mail('alice@example.org'), 'MAIL', $c);
    good($c->to('joe@mail.test'), 'RCPT', $c);
    good($c->data, 'DATA', $c);
    good($c->datasend(map { s/\r\n/\n/r } split(/^/m, slurp())), 'the text', $c);
    good($c->dataend, 'the end', $c);
    $c->quit;
}
