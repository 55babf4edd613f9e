import Torch
import XCTest

@testable import Training

/// Which device a process gets, by what the machine has. What CUDA says of a machine is made up.
final class DeviceChoiceTests: XCTestCase {
    private func process(_ localRank: Int?, of localSize: Int? = nil) -> Launch {
        Launch(rank: 5, size: 8, host: "a", port: 1, localRank: localRank, localSize: localSize)
    }

    private func assertRefuses(
        _ survey: DeviceSurvey, _ launch: Launch? = nil, _ expected: DeviceError, line: UInt = #line
    ) {
        XCTAssertThrowsError(try survey.choice(launch), line: line) {
            XCTAssertEqual($0 as? DeviceError, expected, line: line)
        }
    }

    func testWithoutADeviceTheCPUComputes() throws {
        XCTAssertEqual(try DeviceSurvey(isSupported: false).choice(nil), .cpu)
        XCTAssertEqual(try DeviceSurvey(isSupported: true).choice(nil), .cpu)
        XCTAssertEqual(try DeviceSurvey(isSupported: true).choice(process(nil)), .cpu)
        // Hidden ones are none.
        for hidden in ["", "-1"] {
            let survey = DeviceSurvey(isSupported: true, hasHardware: true, visibleDevices: hidden)
            XCTAssertEqual(try survey.choice(nil), .cpu)
            XCTAssertNil(survey.warning)
        }
    }

    func testOneProcessTakesTheFirstOfTheVisibleDevices() throws {
        XCTAssertEqual(try DeviceSurvey(isSupported: true, count: 3).choice(nil), .cuda(0))
        XCTAssertEqual(
            try DeviceSurvey(isSupported: true, count: 3).choice(Launch(rank: 0, size: 1, host: "a", port: 1)),
            .cuda(0))
    }

    func testEachOfSeveralProcessesTakesADeviceOfItsOwn() throws {
        let survey = DeviceSurvey(isSupported: true, count: 4)
        XCTAssertEqual(try (0..<4).map { try survey.choice(process($0, of: 4)) }, (0..<4).map { .cuda($0) })
        XCTAssertEqual(try survey.choice(process(2)), .cuda(2))
        // Slurm may show each task its own device alone.
        XCTAssertEqual(
            try DeviceSurvey(isSupported: true, count: 1).choice(process(3), hasOwnDevices: true), .cuda(0))
    }

    func testMoreProcessesThanDevicesAreRefusedInAllOfThem() {
        let survey = DeviceSurvey(isSupported: true, count: 2)
        assertRefuses(survey, process(0, of: 3), .tooFew(count: 2, processes: 3))
        assertRefuses(survey, process(2), .tooFew(count: 2, processes: 3))
        assertRefuses(survey, process(nil, of: 2), .unknownLocalRank)
        XCTAssertEqual(
            "\(DeviceError.tooFew(count: 1, processes: 2))",
            "2 processes were started on this machine, and it has 1 CUDA device for them: start as many processes as "
                + "there are devices, or compute on the CPU with --no_cuda")
    }

    func testADeviceThatCannotBeUsedIsRefusedWithTheReason() {
        let old = "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040)"
        let text = ". Please update your GPU driver.\nException raised from device_count"
        let survey = DeviceSurvey(isSupported: true, failure: old + text)
        assertRefuses(survey, nil, .unusable(old))
        assertRefuses(
            DeviceSurvey(isSupported: true, hasHardware: true), nil,
            .unusable("the driver's library finds none, or is not installed"))
        XCTAssertEqual(
            "\(DeviceError.unusable(old))",
            "there is a CUDA device, but it can't be used: \(old); update NVIDIA's driver, or compute on the CPU with "
                + "--no_cuda")
    }

    func testADeviceThatTheBuildCannotUseIsWarnedOf() throws {
        let survey = DeviceSurvey(isSupported: false, hasHardware: true)
        XCTAssertEqual(try survey.choice(nil), .cpu)
        XCTAssertTrue(survey.warning?.contains("DEVICE=cuda") ?? false)
        XCTAssertNil(DeviceSurvey(isSupported: true, count: 1, hasHardware: true).warning)
    }

    /// This machine's own answer, whatever it is, is one that the CPU alone never needs.
    func testTheCPUIsAlwaysThere() throws {
        let (device, warning) = try Device.choose(allowsCUDA: false, launch: nil)
        XCTAssertEqual(device, .cpu)
        XCTAssertNil(warning)
        XCTAssertNil(device.peakMemory)
        XCTAssertEqual("\(device)", "cpu")
        if !CUDA.isSupported { XCTAssertThrowsError(try Device.cuda(0).use()) }
    }
}
