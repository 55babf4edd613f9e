import Foundation
import XCTest

/// The scripts that shells complete a command line with.
final class CompletionTests: CommandTestCase {
    func testBashCompletesCommandsFlagsAndValues() throws {
        let script = try camtl(["--generate-completion-script", "bash"]).text
        XCTAssertEqual(try completions(of: ["camtl", "--max_seq"], script), ["--max_seq_length"])
        XCTAssertEqual(try completions(of: ["camtl", "--do_"], script), ["--do_eval", "--do_predict", "--do_train"])
        XCTAssertEqual(
            try completions(of: ["camtl", "--encoder_type", "ca-"], script), ["ca-mtl-base", "ca-mtl-large"])
        XCTAssertEqual(try completions(of: ["camtl", "pre"], script), ["predict"])
        XCTAssertEqual(try completions(of: ["camtl", "predict", "--in"], script), ["--input"])
    }

    func testThereAreScriptsForTheOtherShells() throws {
        XCTAssert(try camtl(["--generate-completion-script", "zsh"]).text.hasPrefix("#compdef camtl"))
        XCTAssert(try camtl(["--generate-completion-script", "fish"]).text.contains("complete -c 'camtl'"))
    }

    /// What bash offers for the last of the words, once it has read the script.
    private func completions(of words: [String], _ script: String) throws -> [String] {
        let file = folder.appendingPathComponent("completion.bash")
        try TinyGLUE.write(script, to: file)
        let bash = Process()
        bash.executableURL = URL(fileURLWithPath: "/bin/bash")
        bash.arguments = [
            "--noprofile", "--norc", "-c",
            """
            source "$1" || exit 1
            shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
            name=$(complete -p camtl | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            "$name" camtl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """, "bash", file.path,
        ] + words
        let pipe = Pipe()
        bash.standardOutput = pipe
        try bash.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        bash.waitUntilExit()
        XCTAssertEqual(bash.terminationStatus, 0)
        return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init).sorted()
    }
}
