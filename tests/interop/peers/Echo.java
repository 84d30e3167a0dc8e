// Echo.java: Java's JSSE as a peer: java Echo client|server PORT key=value... (see programs.py)
//
// The client sends 200 kB in pieces, wants each back, and leaves with 0. The server echoes until it is stopped.
// Groups and limits of keys are properties of the whole machine; programs.py sets them with -D.
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Echo {
    static final Map<String, String> o = new HashMap<>();

    static SSLContext context() throws Exception {
        KeyStore trust = KeyStore.getInstance("PKCS12");
        trust.load(null, null);
        try (InputStream in = new FileInputStream(o.get("ca"))) {
            trust.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trusting = TrustManagerFactory.getInstance("PKIX");
        trusting.init(trust);
        KeyManagerFactory own = KeyManagerFactory.getInstance("PKIX");
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(o.containsKey("p12") ? new FileInputStream(o.get("p12")) : null, "secret".toCharArray());
        own.init(keys, "secret".toCharArray());
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(own.getKeyManagers(), trusting.getTrustManagers(), null);
        return made;
    }

    static SSLParameters set(SSLParameters p) {
        p.setProtocols(new String[] {o.get("version").equals("1.0") ? "TLSv1" : "TLSv" + o.get("version")});
        if (o.containsKey("suite")) {
            p.setCipherSuites(new String[] {o.get("suite")});
        }
        if (o.containsKey("alpn")) {
            p.setApplicationProtocols(o.get("alpn").split(","));
        }
        return p;
    }

    static void client(SSLContext context, int port) throws Exception {
        try (SSLSocket s = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
            SSLParameters p = set(s.getSSLParameters());
            p.setServerNames(Arrays.asList(new SNIHostName(o.get("name"))));
            p.setEndpointIdentificationAlgorithm("HTTPS");
            s.setSSLParameters(p);
            for (int i = 0; i < 25; i++) {
                byte[] piece = new byte[8000];
                Arrays.fill(piece, (byte) ('a' + i));
                s.getOutputStream().write(piece);
                if (!Arrays.equals(piece, s.getInputStream().readNBytes(piece.length))) {
                    throw new IOException("piece " + i + " came back changed");
                }
            }
        }
    }

    static void serve(SSLSocket s) {
        try (s) {
            s.getInputStream().transferTo(s.getOutputStream());
        } catch (IOException e) {
            System.out.println(e);
        }
    }

    public static void main(String[] args) throws Exception {
        for (String word : Arrays.copyOfRange(args, 2, args.length)) {
            o.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
        }
        int port = Integer.parseInt(args[1]);
        SSLContext context = context();
        if (args[0].equals("client")) {
            client(context, port);
            if (o.containsKey("resume")) {
                client(context, port);
            }
            return;
        }
        SSLServerSocket l = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port, 16,
            java.net.InetAddress.getByName("127.0.0.1"));
        SSLParameters p = set(l.getSSLParameters());
        p.setNeedClientAuth(o.containsKey("clientauth"));
        l.setSSLParameters(p);
        for (;;) {
            SSLSocket s = (SSLSocket) l.accept();
            new Thread(() -> serve(s)).start();
        }
    }
}
