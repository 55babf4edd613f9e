/// The columns that the rows of a kind of task have, as a task file names them.
public struct KindFields: Sendable {
    /// How many columns `text` may name.
    public var texts = 1...2
    /// The columns of the texts where a task file names none.
    public var defaultTexts: [String] = []
    /// What a row to predict may call its texts whatever the task's own names for them; empty where it is as GLUE's.
    public var usualTexts: [String] = []
    /// Whether a text may be a list of words.
    public var takesWords = false
    /// Whether a row has texts to choose from.
    public var hasChoices = false
    /// How many columns `label` may name.
    public var labels = 1...1
    /// The column of the label where a task file names none.
    public var defaultLabel: String?
    /// Whether a text that is too long is cut; else it becomes several windows.
    public var cutsTexts = true

    public init() {}
}
